/** Errors of the engine. Each message is a sentence: what was given, what is allowed, and how to get there. */

/** A setting has a value that is not allowed. */
export class SettingError extends Error {
  override readonly name = "SettingError";
}

/** Samples or a sample rate are not allowed. */
export class AudioError extends Error {
  override readonly name = "AudioError";
}

/** A session cannot do what was asked. */
export class SessionError extends Error {
  override readonly name = "SessionError";
}

/** The model's files are missing, damaged, or of another version. */
export class EngineError extends Error {
  override readonly name = "EngineError";
}

/** The model computed logits that are not finite. */
export class NotFiniteError extends Error {
  override readonly name = "NotFiniteError";
}

const CLASSES = { SettingError, AudioError, SessionError, EngineError, NotFiniteError } as const;

/** Return an error as it is posted between threads, by its class and its sentence. */
export function written(error: unknown): WrittenError {
  if (error instanceof Error) return { name: error.name, message: error.message };
  return { name: "Error", message: String(error) };
}

/** Restore an error that `written` wrote. */
export function restored({ name, message }: WrittenError): Error {
  const known = CLASSES[name as keyof typeof CLASSES];
  if (known) return new known(message);
  return Object.assign(new Error(message), { name });
}

export interface WrittenError {
  readonly name: string;
  readonly message: string;
}
