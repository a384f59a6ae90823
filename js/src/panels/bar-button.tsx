/** A button of the bars above and below the timeline. */
import type { ComponentChildren } from "preact";

interface Props {
  /** Its test id. */
  name: string;
  look?: string;
  title: string;
  /** The key that does the same. */
  shortcut?: string;
  pressed?: boolean;
  /** Whether what it opens is open, and the id of that. */
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
