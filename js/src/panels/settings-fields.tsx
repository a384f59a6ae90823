/**
 * Fields of the settings panel. Each shows the value of the kernel's trait, marks a requested change as pending, and
 * shows the kernel's sentence on a refused one. Values are not checked here but in the kernel.
 */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useLayoutEffect } from "preact/hooks";
import type { Setting, Values } from "../store/settings";
import type { SessionView } from "../view";

interface Spec {
  view: SessionView;
  setting: Setting;
}

/** Characters of a placeholder that the narrowest field shows (128 px); a longer one is part of the hint below it. */
const MOST_PLACEHOLDER = 15;

/** Props of a field's control: common attributes, the trait's value, and a callback that requests another value. */
interface Held {
  shared: {
    id: string;
    disabled: boolean;
    "aria-busy": boolean;
    "aria-invalid": boolean;
    "aria-describedby": string | undefined;
  };
  value: unknown;
  asking: boolean;
  refused: string;
  ask: (value: unknown) => void;
}

/** Render label, control, pending mark, hint and refusal. */
function Field({
  spec,
  inline,
  empty = "",
  control,
}: {
  spec: Spec;
  inline?: boolean;
  /** Meaning of the empty field, if it does not fit into it. */
  empty?: string;
  control: (held: Held) => JSX.Element;
}) {
  const { view, setting } = spec;
  const { name, label, lines } = setting;
  // The labels of choices already explain them.
  const help = setting.kind === "choice" ? "" : setting.help;
  const applied = lines > 1 ? `${help} Ctrl+Enter applies it.` : help;
  const hint = empty ? `${applied} Empty: ${empty}.`.trim() : applied;
  const { store, channel } = view;
  const values: Values = { ...store.live.value, ...store.settings.value };
  const asking = name in store.pending.value;
  const refused = store.refused.value[name] ?? "";
  const id = `${view.id}-${name}`;
  const held: Held = {
    shared: {
      id,
      disabled: !channel.ready || !(name in values),
      "aria-busy": asking,
      "aria-invalid": refused !== "",
      "aria-describedby":
        [hint && `${id}-hint`, refused && `${id}-refused`].filter(Boolean).join(" ") || undefined,
    },
    value: values[name],
    asking,
    refused,
    ask: (value) => channel.set({ [name]: value }),
  };
  const title = (
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
      {!inline && title}
      {control(held)}
      {inline && title}
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

export function SwitchField(spec: Spec) {
  return (
    <Field
      spec={spec}
      inline
      control={({ shared, value, ask }) => (
        <input
          {...shared}
          type="checkbox"
          role="switch"
          class="aiw-switch"
          checked={value === true}
          aria-checked={value === true}
          onClick={(event) => {
            // Disabled until the kernel has sent a value.
            event.preventDefault();
            ask(value !== true);
          }}
        />
      )}
    />
  );
}

export function ChoiceField(spec: Spec) {
  return (
    <Field
      spec={spec}
      control={({ shared, value, ask }) => (
        <select
          {...shared}
          class="aiw-select"
          value={String(value ?? "")}
          onChange={({ currentTarget }) => {
            const wanted = currentTarget.value;
            currentTarget.value = String(value ?? "");
            ask(wanted);
          }}
        >
          {spec.setting.choices.map(([word, does]) => (
            <option key={word} value={word}>
              {word}: {does}
            </option>
          ))}
        </select>
      )}
    />
  );
}

/**
 * Render a number or a multi-line text, which is requested with Enter or on leaving the field. The typed text stays
 * until the kernel accepts it, and beside the kernel's sentence if it is refused; Escape restores the value.
 */
export function TypedField({ placeholder, ...spec }: Spec & { placeholder: string }) {
  const { setting } = spec;
  const fits = setting.lines > 1 || placeholder.length <= MOST_PLACEHOLDER;
  const within = fits ? placeholder : "";
  return (
    <Field
      spec={spec}
      empty={fits ? "" : placeholder}
      control={(held) => <Typed {...{ held, setting }} placeholder={within} />}
    />
  );
}

function Typed({ held, setting, placeholder }: { held: Held; setting: Setting; placeholder: string }) {
  const { kind, lines } = setting;
  const { shared, value, asking, refused, ask } = held;
  const draft = useSignal<string | null>(null);
  const holds = String(value ?? "");
  useLayoutEffect(() => {
    // Accepted: show the kernel's value again.
    if (!asking && refused === "") draft.value = null;
  }, [asking, refused, holds]);
  const commit = () => {
    const typed = draft.value;
    if (typed === null || (typed === holds && refused === "")) draft.value = null;
    else ask(kind === "str" ? typed || null : numberOf(typed));
  };
  const props = {
    ...shared,
    placeholder,
    value: draft.value ?? holds,
    onBlur: commit,
    onInput: ({ currentTarget }: { currentTarget: { value: string } }) => {
      draft.value = currentTarget.value;
    },
    onKeyDown: (event: KeyboardEvent) => {
      if (event.key === "Enter" && (lines === 1 || event.ctrlKey || event.metaKey)) commit();
      else if (event.key === "Escape") draft.value = null;
      else return;
      event.preventDefault();
    },
  };
  return lines > 1 ? (
    <textarea {...props} class="aiw-input aiw-textarea" rows={lines} />
  ) : (
    <input {...props} class="aiw-input" inputMode="decimal" autoComplete="off" />
  );
}

/**
 * Parse a number. An empty text means the checkpoint's own value; a text that is no number is sent as it is, and the
 * kernel's refusal explains it.
 */
export function numberOf(typed: string): number | string | null {
  const text = typed.trim().replace(",", ".");
  if (text === "") return null;
  const number = Number(text);
  return Number.isFinite(number) ? number : typed;
}

/** Render a slider from −`reach` to `reach`, which requests values while it moves; the number shown is the kernel's. */
export function SliderField(spec: Spec) {
  const { name, label, scale } = spec.setting;
  const [reach, low, high] = scale ?? [1, "", ""];
  const wanted = spec.view.store.pending.value[name];
  return (
    <Field
      spec={spec}
      control={({ shared, value, ask }) => {
        const held = typeof value === "number" ? value : 0;
        return (
          <span class="aiw-slider">
            <input
              {...shared}
              type="range"
              min={-reach}
              max={reach}
              step={0.1}
              value={typeof wanted === "number" ? wanted : held}
              aria-valuetext={signed(held)}
              onInput={({ currentTarget }) => ask(Number(currentTarget.value))}
            />
            <output for={shared.id} data-testid={`held-${name}`}>
              {signed(held)}
            </output>
            <button
              type="button"
              class="aiw-button aiw-small"
              aria-label={`${label} 0`}
              disabled={shared.disabled || held === 0}
              onClick={() => ask(0)}
            >
              0
            </button>
            <span class="aiw-slider-ends" aria-hidden="true">
              <span>{low}</span>
              <span>{high}</span>
            </span>
          </span>
        );
      }}
    />
  );
}

function signed(value: number): string {
  const text = String(Math.round(value * 10) / 10);
  return value > 0 ? `+${text}` : text.replace("-", "−");
}
