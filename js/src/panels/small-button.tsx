/** A small button, as the panels' heads have them. */
import type { ComponentProps } from "preact";

interface Props extends ComponentProps<"button"> {
  /** Its name where it shows a sign only; also its tooltip, unless `title` says more. */
  label?: string;
}

export function SmallButton({ label, ...props }: Props) {
  return <button type="button" class="aiw-small" title={label} aria-label={label} {...props} />;
}
