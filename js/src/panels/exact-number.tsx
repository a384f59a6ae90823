/** A number of an event: rounded for reading, and always the very float on request. */
import { probability, repr } from "../text/exact";

interface Props {
  value: number;
  /** Show all digits. */
  exact: boolean;
  /** How it is rounded otherwise. */
  format?: (value: number) => string;
}

export function ExactNumber({ value, exact, format = probability }: Props) {
  return (
    <span class="aiw-number" title={repr(value)}>
      {exact ? repr(value) : format(value)}
    </span>
  );
}
