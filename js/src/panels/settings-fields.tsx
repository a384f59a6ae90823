/**
 * The fields of the settings panel. Each shows what the kernel's trait says, says while it asks for something else, and
 * repeats the kernel's sentence where that was refused. Nothing is checked here: the kernel knows what is allowed.
 */
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import type { Changes, SettingName } from "../settings";
import type { View } from "../view";

interface FieldProps {
  view: View;
  name: SettingName;
  label: string;
  hint?: string;
}

/** What the kernel says of a setting, what it was asked for, and why it refused. */
function useSetting({ view, name }: Pick<FieldProps, "view" | "name">) {
  const { store, conversation } = view;
  const held = { ...store.live.value, ...store.settings.value } as Record<string, unknown>;
  const asking = name in store.pending.value;
  const refused = store.refused.value[name] ?? "";
  const ask = (value: unknown) => conversation.set({ [name]: value } as Changes);
  return { value: held[name], known: name in held, asking, refused, ask, closed: !conversation.ready };
}

function FieldFrame(props: {
  id: string;
  name: SettingName;
  label: string;
  hint?: string | undefined;
  asking: boolean;
  refused: string;
  inline?: boolean;
  children: ComponentChildren;
}) {
  const { id, name, label, hint, asking, refused, inline, children } = props;
  const text = (
    <label class="aiw-field-label" for={id}>
      {label}
    </label>
  );
  return (
    <div
      class={inline ? "aiw-field aiw-field-inline" : "aiw-field"}
      data-testid={`field-${name}`}
      data-asking={asking}
    >
      {!inline && text}
      {children}
      {inline && text}
      <span class="aiw-field-asking" role="status">
        {asking ? "asking…" : ""}
      </span>
      {hint && (
        <span id={`${id}-hint`} class="aiw-field-hint">
          {hint}
        </span>
      )}
      {refused && (
        <span id={`${id}-refused`} class="aiw-field-refused" role="alert">
          {refused}
        </span>
      )}
    </div>
  );
}

function described(id: string, hint: string | undefined, refused: string) {
  const by = [hint ? `${id}-hint` : "", refused ? `${id}-refused` : ""].filter(Boolean).join(" ");
  return { "aria-describedby": by || undefined, "aria-invalid": refused !== "" };
}

export function SwitchField({ view, name, label, hint }: FieldProps) {
  const { value, asking, refused, ask, closed, known } = useSetting({ view, name });
  const id = `${view.id}-${name}`;
  return (
    <FieldFrame {...{ id, name, label, hint, asking, refused }} inline>
      <input
        id={id}
        type="checkbox"
        role="switch"
        class="aiw-switch"
        checked={value === true}
        aria-checked={value === true}
        disabled={closed || !known}
        aria-busy={asking}
        {...described(id, hint, refused)}
        onClick={(event) => {
          // Not before the kernel says so.
          event.preventDefault();
          ask(value !== true);
        }}
      />
    </FieldFrame>
  );
}

export function ChoiceField({
  view,
  name,
  label,
  hint,
  choices,
}: FieldProps & { choices: readonly (readonly [value: string, words: string])[] }) {
  const { value, asking, refused, ask, closed, known } = useSetting({ view, name });
  const id = `${view.id}-${name}`;
  return (
    <FieldFrame {...{ id, name, label, hint, asking, refused }}>
      <select
        id={id}
        class="aiw-select"
        value={String(value ?? "")}
        disabled={closed || !known}
        aria-busy={asking}
        {...described(id, hint, refused)}
        onChange={(event) => {
          const wanted = event.currentTarget.value;
          event.currentTarget.value = String(value ?? "");
          ask(wanted);
        }}
      >
        {choices.map(([choice, words]) => (
          <option key={choice} value={choice}>
            {words}
          </option>
        ))}
      </select>
    </FieldFrame>
  );
}

/**
 * A number or a text that is asked for with Enter or on leaving the field. What was typed stays until the kernel takes
 * it, and stays beside its sentence where it does not; Escape brings back what holds.
 */
export function TypedField({
  view,
  name,
  label,
  hint,
  placeholder,
  kind,
}: FieldProps & { placeholder?: string; kind: "number" | "text" }) {
  const { value, asking, refused, ask, closed, known } = useSetting({ view, name });
  const draft = useSignal<string | null>(null);
  const id = `${view.id}-${name}`;
  const held = value === null || value === undefined ? "" : String(value);
  useEffect(() => {
    // Answered, and not with a refusal: what the kernel says is shown again.
    if (!asking && refused === "") draft.value = null;
  }, [asking, refused, held]);
  const commit = () => {
    if (draft.value === null || (draft.value === held && refused === "")) draft.value = null;
    else ask(kind === "number" ? numberOf(draft.value) : draft.value === "" ? null : draft.value);
  };
  const shared = {
    id,
    value: draft.value ?? held,
    placeholder: placeholder ?? "",
    disabled: closed || !known,
    "aria-busy": asking,
    ...described(id, hint, refused),
    onBlur: commit,
  };
  const keyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter" && (kind === "number" || event.ctrlKey || event.metaKey)) commit();
    else if (event.key === "Escape") draft.value = null;
    else return;
    event.preventDefault();
  };
  return (
    <FieldFrame {...{ id, name, label, hint, asking, refused }}>
      {kind === "number" ? (
        <input
          {...shared}
          class="aiw-input"
          type="text"
          inputMode="decimal"
          autoComplete="off"
          onInput={(event) => {
            draft.value = event.currentTarget.value;
          }}
          onKeyDown={keyDown}
        />
      ) : (
        <textarea
          {...shared}
          class="aiw-input aiw-textarea"
          rows={3}
          onInput={(event) => {
            draft.value = event.currentTarget.value;
          }}
          onKeyDown={keyDown}
        />
      )}
    </FieldFrame>
  );
}

/** Nothing typed means the checkpoint's own; what is no number goes to the kernel as it is, which says what is wrong. */
export function numberOf(typed: string): number | string | null {
  const text = typed.trim().replace(",", ".");
  if (text === "") return null;
  const number = Number(text);
  return Number.isFinite(number) ? number : typed;
}

/** A number on a scale, asked for while the knob moves; the figure beside it is the kernel's. */
export function SliderField({
  view,
  name,
  label,
  hint,
  low,
  high,
  step,
  ends,
}: FieldProps & { low: number; high: number; step: number; ends: readonly [string, string] }) {
  const { value, asking, refused, ask, closed, known } = useSetting({ view, name });
  const id = `${view.id}-${name}`;
  const held = typeof value === "number" ? value : 0;
  const wanted = (view.store.pending.value as Record<string, unknown>)[name];
  return (
    <FieldFrame {...{ id, name, label, hint, asking, refused }}>
      <span class="aiw-slider">
        <input
          id={id}
          type="range"
          min={low}
          max={high}
          step={step}
          value={typeof wanted === "number" ? wanted : held}
          disabled={closed || !known}
          aria-busy={asking}
          aria-valuetext={signed(held)}
          {...described(id, hint, refused)}
          onInput={(event) => ask(Number(event.currentTarget.value))}
        />
        <output class="aiw-slider-value" for={id} data-testid={`held-${name}`}>
          {signed(held)}
        </output>
        <button
          type="button"
          class="aiw-button aiw-small"
          disabled={closed || !known || held === 0}
          onClick={() => ask(0)}
        >
          0
        </button>
        <span class="aiw-slider-ends" aria-hidden="true">
          <span>{ends[0]}</span>
          <span>{ends[1]}</span>
        </span>
      </span>
    </FieldFrame>
  );
}

function signed(value: number): string {
  const text = Number.isInteger(value) ? String(value) : value.toFixed(1);
  return value > 0 ? `+${text}` : text.replace("-", "−");
}
