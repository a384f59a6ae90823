/**
 * Values that tell who reads them when they change. Who observes is found out by running it: each run begins a new list
 * of sources. A computed value is worked out when it is read, and subscribes to its sources only while it is observed
 * itself, so that a view that has gone leaves nothing behind in the store.
 */

/** Somebody who reads signals. */
export interface Observer {
  /** What the latest run read, and in which version. */
  sources: Map<Cell<unknown>, number>;
  /** Whether its sources shall tell it of changes. */
  readonly live: boolean;
  /** A source has changed, or may have. */
  notify(): void;
}

export interface ReadonlySignal<T> {
  readonly value: T;
  /** The value, without observing it. */
  peek(): T;
  /** Calls back with the value now and after every change; returns what ends that. */
  subscribe(take: (value: T) => void): () => void;
}

export interface Signal<T> extends ReadonlySignal<T> {
  value: T;
}

let observing: Observer | null = null;
/** Grows with every change of any signal. */
let changes = 0;
let batches = 0;
const dueEffects = new Set<() => void>();

class Cell<T> implements Signal<T> {
  version = 0;
  protected readonly observers = new Set<Observer>();

  constructor(protected held: T) {}

  get value(): T {
    const value = this.peek();
    if (observing) {
      const { sources } = observing;
      if (!sources.has(this)) sources.set(this, this.version);
      if (observing.live) this.tell(observing);
    }
    return value;
  }

  set value(value: T) {
    if (value === this.held) return;
    this.held = value;
    this.version += 1;
    changes += 1;
    batch(() => this.changed());
  }

  peek(): T {
    this.refresh();
    return this.held;
  }

  subscribe(take: (value: T) => void): () => void {
    return effect(() => {
      const { value } = this;
      untracked(() => take(value));
    });
  }

  /** Brings `held` and `version` up to date. */
  refresh(): void {}

  tell(observer: Observer): void {
    this.observers.add(observer);
  }

  forget(observer: Observer): void {
    this.observers.delete(observer);
  }

  protected changed(): void {
    for (const observer of [...this.observers]) observer.notify();
  }
}

class Computed<T> extends Cell<T | undefined> implements Observer {
  sources = new Map<Cell<unknown>, number>();
  #stale = true;
  /** `changes` when it was last up to date. */
  #seen = -1;

  constructor(private readonly read: () => T) {
    super(undefined);
  }

  get live(): boolean {
    return this.observers.size > 0;
  }

  notify(): void {
    this.#stale = true;
    this.changed();
  }

  override refresh(): void {
    // Where nobody observes it, nobody tells it of changes either.
    if (this.live ? !this.#stale : this.#seen === changes) return;
    if (this.version === 0 || isOutdated(this)) {
      const value = observe(this, this.read);
      if (value !== this.held || this.version === 0) {
        this.held = value;
        this.version += 1;
      }
    }
    this.#stale = false;
    this.#seen = changes;
  }

  override tell(observer: Observer): void {
    if (!this.live) for (const source of this.sources.keys()) source.tell(this);
    super.tell(observer);
  }

  override forget(observer: Observer): void {
    super.forget(observer);
    if (!this.live) for (const source of this.sources.keys()) source.forget(this);
  }
}

export function signal<T>(value: T): Signal<T> {
  return new Cell(value);
}

export function computed<T>(read: () => T): ReadonlySignal<T> {
  return new Computed(read) as unknown as ReadonlySignal<T>;
}

/** Runs now, and again after each change of what it read; returns what ends it. */
export function effect(run: () => void): () => void {
  const observer: Observer = { sources: new Map(), live: true, notify: () => dueEffects.add(again) };
  const again = () => {
    if (isOutdated(observer)) observe(observer, run);
  };
  batch(() => observe(observer, run));
  return () => ignore(observer);
}

/** Makes several changes before anybody is told. */
export function batch<T>(change: () => T): T {
  batches += 1;
  try {
    return change();
  } finally {
    try {
      if (batches === 1) runAll(dueEffects);
    } finally {
      batches -= 1;
    }
  }
}

export function untracked<T>(read: () => T): T {
  return observedBy(null, read);
}

function observedBy<T>(observer: Observer | null, read: () => T): T {
  const before = observing;
  observing = observer;
  try {
    return read();
  } finally {
    observing = before;
  }
}

/** Reads, and has the observer told when any of what was read changes. */
export function observe<T>(observer: Observer, read: () => T): T {
  const before = observer.sources;
  observer.sources = new Map();
  try {
    return observedBy(observer, read);
  } finally {
    for (const source of before.keys()) if (!observer.sources.has(source)) source.forget(observer);
  }
}

/** Whether any source has another value than the latest run read. */
export function isOutdated({ sources }: Observer): boolean {
  for (const [source, version] of sources) {
    source.refresh();
    if (source.version !== version) return true;
  }
  return false;
}

/** Ends an observer. */
export function ignore(observer: Observer): void {
  for (const source of observer.sources.keys()) source.forget(observer);
  observer.sources.clear();
}

/** Runs what is due, and what becomes due meanwhile; the first failure is thrown when everything has had its turn. */
export function runAll(due: Set<() => void>): void {
  const failures: unknown[] = [];
  for (const run of due) {
    due.delete(run);
    try {
      run();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}
