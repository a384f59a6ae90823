/** Number of an event: rounded, or with all digits on request. */
import { probability, repr } from "../text/exact";

interface Props {
  value: number;
  /** Whether all digits are shown. */
  exact: boolean;
  /** Format of the rounded number. */
  format?: (value: number) => string;
}

export function ExactNumber({ value, exact, format = probability }: Props) {
  return (
    <span class="aiw-number" title={repr(value)}>
      {exact ? repr(value) : format(value)}
    </span>
  );
}
