/** What elements take beside what Preact's types know. */
import "preact";

declare module "preact" {
  interface ClassAttributes<T> {
    /** Its `data-testid`: what tests and measurements know it by. */
    testid?: string | undefined;
  }
}
