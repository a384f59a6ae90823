/** Settings of a session, with the names, bounds and meanings of `ai_widgets/settings.py`. */

/** All settings. Null means the checkpoint's own value. */
export interface Settings {
  readonly greedy: boolean;
  readonly temperature: number | null;
  readonly top_k: number | null;
  readonly top_p: number | null;
  readonly seed: number;
  readonly bias: number;
  readonly mask: boolean;
  readonly strict: boolean;
  readonly alternatives: number;
  readonly system_prompt: string | null;
  readonly context: "slide" | "stop" | "reset";
  readonly context_limit: number | null;
  readonly context_seconds: number | null;
  readonly forget_after_reply: boolean;
  readonly max_new_tokens: number | null;
  readonly max_reply_tokens: number | null;
}
