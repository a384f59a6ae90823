/** Button of the bars above and below the timeline. */
import type { ComponentChildren } from "preact";

interface Props {
  /** Test id. */
  name: string;
  look?: string;
  title: string;
  /** Key with the same effect. */
  shortcut?: string;
  pressed?: boolean;
  /** Whether the element that the button opens is open, and the element's id. */
  opens?: readonly [boolean, string];
  disabled?: boolean;
  press: () => void;
  children: ComponentChildren;
}

export function BarButton(props: Props) {
  const { name, look = "", title, shortcut, pressed, opens, disabled = false, press, children } = props;
  const isSign = typeof children === "string" && children.length === 1;
  return (
    <button
      type="button"
      class={`aiw-button ${look}`}
      data-testid={name}
      title={shortcut ? `${title} (${shortcut})` : title}
      aria-label={isSign ? title : undefined}
      aria-keyshortcuts={shortcut}
      aria-pressed={pressed}
      aria-expanded={opens?.[0]}
      aria-controls={opens?.[0] ? opens[1] : undefined}
      disabled={disabled}
      onClick={press}
    >
      {children}
    </button>
  );
}
