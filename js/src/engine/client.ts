/** The page's side of the worker: numbers the requests, and matches the replies. */

import { EngineError, restored } from "./errors";
import type { News, Port, Reply, Request } from "./worker-messages";

/** Result of a request, and what its session told with it. */
export interface Answer {
  readonly value: unknown;
  readonly news: News | null;
}

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

export class EngineClient {
  private readonly waiting = new Map<number, Waiting>();
  private newest = 0;
  private failed: Error | null = null;
  /** Receives what a session tells, before the reply's promise is settled. */
  onNews: (news: News) => void = () => {};

  constructor(private readonly port: Port) {
    port.onmessage = ({ data }) => this.receive(data as Reply);
  }

  /** Send a request, and return its result. Buffers in `transfer` move to the worker. */
  request(request: Request, transfer: Transferable[] = []): Promise<Answer> {
    if (this.failed) return Promise.reject(this.failed);
    const number = ++this.newest;
    return new Promise((resolve, reject) => {
      this.waiting.set(number, { resolve, reject });
      this.port.postMessage({ ...request, number }, transfer);
    });
  }

  /** Reject all open requests and all later ones, because the worker is lost. */
  fail(reason: string): void {
    this.failed ??= new EngineError(reason);
    for (const { reject } of this.waiting.values()) reject(this.failed);
    this.waiting.clear();
  }

  private receive({ number, error, value, original, news }: Reply): void {
    if (original) this.onNews(original);
    if (news) this.onNews(news);
    const waiting = this.waiting.get(number);
    this.waiting.delete(number);
    if (error) waiting?.reject(restored(error));
    else waiting?.resolve({ value, news });
  }
}
