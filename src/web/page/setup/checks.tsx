/**
 * The checks of `doctor`, run on request.
 *
 * @module
 */
import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { printable } from "../../../domain/names/printable.ts";
import type { AnswerOf, PageActions } from "../../../reports/actions.ts";
import type { CheckFinding } from "../../../reports/api_types.ts";
import { counted } from "../../../domain/names/counted.ts";
import { Glyph } from "../parts/glyph.tsx";
import { Panel } from "../parts/panel.tsx";
import { Time } from "../parts/time.tsx";
import { ask, AskError } from "../store/ask.ts";
import { isLive } from "../store/live.ts";

type Run =
  | { readonly state: "none" }
  | { readonly state: "running" }
  | { readonly state: "done"; readonly at: number; readonly findings: readonly CheckFinding[] }
  | { readonly state: "failed"; readonly why: string };

/** Kept while other views are shown. */
const run = signal<Run>({ state: "none" });
const MARKS = {
  ok: { glyph: "good", tone: "good", word: "OK" },
  warning: { glyph: "trouble", tone: "warning", word: "Warning" },
  fault: { glyph: "bad", tone: "bad", word: "Error" },
} as const;

/** The button, and what was found; the worst of each part of the setup first. */
export function Checks(): JSX.Element {
  const { value } = run;
  return (
    <Panel
      title="Checks"
      aside={
        <button
          type="button"
          class="button is-primary"
          data-key="d"
          title="Run the checks (d)"
          disabled={value.state === "running" || !isLive.value}
          onClick={start}
        >
          <Glyph name="scan" />
          {value.state === "running" ? "Checking…" : "Run the checks"}
        </button>
      }
    >
      <div role="status">
        {value.state === "none" && (
          <p class="dim">
            Checks this computer and every destination as <code>image-transfer doctor</code>{" "}
            does: each destination is sent a small file, which is removed again.
          </p>
        )}
        {value.state === "running" && <p class="dim">Checking this computer and every destination. This can take a minute.</p>}
        {value.state === "failed" && <p class="problem">{value.why}</p>}
        {value.state === "done" && (
          <p>
            {verdict(value.findings)}{" "}
            <span class="dim">
              (<Time at={value.at} />)
            </span>
          </p>
        )}
      </div>
      {value.state === "done" && <Findings findings={value.findings} />}
    </Panel>
  );
}

function Findings({ findings }: { readonly findings: readonly CheckFinding[] }): JSX.Element {
  return (
    <>
      {[...Map.groupBy(findings, ({ about }) => about)].map(([about, some]) => (
        <section key={about} class="checks" aria-label={printable(about)}>
          <h3>{printable(about)}</h3>
          <ul>
            {some.map((finding, at) => (
              <li key={at}>
                <span class={`state tone-text-${MARKS[finding.level].tone}`}>
                  <Glyph name={MARKS[finding.level].glyph} />
                  <span class="unseen">{MARKS[finding.level].word}</span>
                </span>
                <span>
                  {finding.what.split("\n").map(printable).join(" ")}
                  {finding.hint !== "" && <span class="check-hint">{printable(finding.hint)}</span>}
                </span>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </>
  );
}

function verdict(findings: readonly CheckFinding[]): string {
  const [faults, warnings] = (["fault", "warning"] as const).map((level) => findings.filter((one) => one.level === level).length);
  return faults! + warnings! === 0 ? "All is well." : `${counted(faults!, "error")}, ${counted(warnings!, "warning")}.`;
}

async function start(): Promise<void> {
  run.value = { state: "running" };
  try {
    const { value } = await ask<AnswerOf<PageActions["doctor"]>>("/api/doctor", undefined, {});
    run.value = { state: "done", at: Date.now(), findings: value.findings };
  } catch (error) {
    if (!(error instanceof AskError)) throw error;
    run.value = { state: "failed", why: `${error.message}. ${error.hint}`.trim() };
  }
}
