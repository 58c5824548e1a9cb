/** The view Setup: how the daemon is set up, and whether all it needs works. Nothing can be changed here. */
import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { printable } from "../../../domain/names/printable.ts";
import type { AnswerOf, PageActions } from "../../../reports/actions.ts";
import type { CheckFinding, SetupReport } from "../../../reports/api_types.ts";
import { ago, duration, withHint } from "../parts/format.ts";
import { Sign } from "../parts/glyph.tsx";
import { PathText } from "../parts/name.tsx";
import { Button, Facts, Panel, Problem, Why } from "../parts/panel.tsx";
import { Time } from "../parts/time.tsx";
import { ask, AskError, useAsk } from "../store/ask.ts";
import { now } from "../store/clock.ts";
import { signal } from "@preact/signals";
import { counted } from "../../../domain/words.ts";
import { isLive } from "../store/live.ts";

const EVERY_MS = 5_000;

/** Asked for again every 5 s while somebody looks: reloads and hooks come without a change of the status. */
export function SetupView(): JSX.Element {
  const { answer, error } = useAsk<SetupReport>("/api/setup", Math.floor(now.value / EVERY_MS));
  const report = answer?.value ?? null;
  return (
    <>
      <header class="view-head">
        <h1>Setup</h1>
      </header>
      <Problem of={error} />
      {report === null ? error === null && <p class="nothing" role="status">Loading the setup…</p> : (
        <div class="setup">
          <About report={report} />
          <Schedules schedules={report.schedules} />
          <Hooks hooks={report.hooks} />
          {report.canCheck && <Checks />}
          <Configuration report={report} />
        </div>
      )}
    </>
  );
}

function About({ report: { version, startedAt, file, reload, notes } }: { readonly report: SetupReport }): JSX.Element {
  return (
    <Panel title="Daemon">
      <Facts
        class="setup-facts"
        of={{
          Version: `image-transfer ${version}`,
          "Running since": (
            <>
              <Time at={startedAt} shape="full" /> <span class="dim">({duration(now.value - startedAt)})</span>
            </>
          ),
          "Configuration file": file === null ? "none" : <PathText mono text={file} />,
          "Last reload": <Reload reload={reload} />,
        }}
      />
      {reload !== null && reload.problem !== null && (
        <Why
          tone="bad"
          role="alert"
          message={printableLines(reload.problem)}
          hint={
            <>
              Correct the file and save it, then run: <code>image-transfer reload</code>
            </>
          }
        />
      )}
      {notes.map((note) => <Why key={note} tone="warning" message={printable(note)} />)}
    </Panel>
  );
}

function Reload({ reload }: Pick<SetupReport, "reload">): JSX.Element {
  if (reload === null) return <span class="dim">none since the daemon started</span>;
  const tone = reload.problem === null ? "good" : "bad";
  return (
    <Sign tone={tone} glyph={tone}>
      {reload.problem === null ? "in force" : "rejected; the previous configuration is still in force"},{" "}
      <Time at={reload.at} shape="full" />
    </Sign>
  );
}

function Schedules({ schedules }: { readonly schedules: SetupReport["schedules"] }): JSX.Element {
  return (
    <Panel title="Next runs">
      {schedules.length === 0 ? <p class="nothing">No jobs are configured</p> : (
        <ul class="setup-list">
          {schedules.map(({ job, when, next }) => (
            <li key={`${job} ${when}`}>
              <strong>{job === "" ? "Morning report" : printable(job)}</strong>
              <span>{when}</span>
              {next.length > 0 && (
                <span class="setup-runs">
                  {next.map((at, index) => (
                    <span key={index}>
                      <Time at={at} shape="day" />
                      {index === 0 && <span class="dim">(in {duration(at - now.value)})</span>}
                    </span>
                  ))}
                </span>
              )}
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

const RESULTS = {
  ok: { sign: { tone: "good", glyph: "good" }, word: "worked" },
  late: { sign: { tone: "warning", glyph: "warning" }, word: "failed, will be retried" },
  given_up: { sign: { tone: "bad", glyph: "bad" }, word: "failed, given up" },
} as const;

function Hooks({ hooks }: { readonly hooks: SetupReport["hooks"] }): JSX.Element {
  return (
    <Panel title="Hooks">
      {hooks.length === 0
        ? (
          <p class="nothing">
            No hooks are configured. A hook notifies your phone or starts a program when an image is delivered or a destination
            fails.
          </p>
        )
        : <ul class="setup-list">{hooks.map((hook, at) => <Hook key={at} hook={hook} />)}</ul>}
    </Panel>
  );
}

function Hook({ hook: { job, name, kind, on, last } }: { readonly hook: SetupReport["hooks"][number] }): JSX.Element {
  return (
    <li>
      <strong class="mono">{printable(name)}</strong>
      <span class="dim">{kind === "command" ? "program" : "webhook"} of {printable(job)}, on {on.join(", ")}</span>
      {last === null ? <span class="dim">not called since the daemon started</span> : (
        <Sign {...RESULTS[last.result].sign}>
          {RESULTS[last.result].word} ({last.on}), {ago(now.value - last.at)}
        </Sign>
      )}
      {last !== null && last.said !== "" && <pre class="setup-said" tabIndex={0}>{printableLines(last.said)}</pre>}
    </li>
  );
}

function Configuration({ report: { configuration } }: { readonly report: SetupReport }): JSX.Element {
  const [copied, setCopied] = useState(false);
  const text = useRef<HTMLPreElement>(null);
  const choose = () => {
    getSelection()?.selectAllChildren(text.current!);
    navigator.clipboard?.writeText(configuration ?? "").then(() => setCopied(true), () => setCopied(false));
  };
  return (
    <Panel
      title="Configuration in force"
      class="setup-configuration"
      aside={configuration !== null && <Button onClick={choose}>{copied ? "Copied" : "Copy"}</Button>}
    >
      {configuration === null ? <p class="nothing">This daemon runs without a configuration</p> : (
        <>
          <p class="dim">
            Includes all defaults; secrets are hidden. To change it, edit the file, then run <code>image-transfer reload</code>.
          </p>
          <pre ref={text} tabIndex={0} aria-label="Configuration">{printableLines(configuration)}</pre>
        </>
      )}
    </Panel>
  );
}

function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

type Run =
  | { readonly state: "none" }
  | { readonly state: "running" }
  | { readonly state: "done"; readonly at: number; readonly findings: readonly CheckFinding[] }
  | { readonly state: "failed"; readonly why: string };

/** Kept while other views are shown. */
const run = signal<Run>({ state: "none" });
const MARKS = {
  ok: { sign: { tone: "good", glyph: "good" }, word: "OK" },
  warning: { sign: { tone: "warning", glyph: "trouble" }, word: "Warning" },
  fault: { sign: { tone: "bad", glyph: "bad" }, word: "Error" },
} as const;

/** The button, and what was found; the worst of each part of the setup first. */
function Checks(): JSX.Element {
  const { value } = run;
  return (
    <Panel
      title="Checks"
      aside={
        <Button
          primary
          data-key="d"
          title="Run the checks (d)"
          disabled={value.state === "running" || !isLive.value}
          onClick={start}
          glyph="scan"
        >
          {value.state === "running" ? "Checking…" : "Run the checks"}
        </Button>
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
                <Sign {...MARKS[finding.level].sign} isUnseen>{MARKS[finding.level].word}</Sign>
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
  const [faults = 0, warnings = 0] = ["fault", "warning"].map((level) => findings.filter((one) => one.level === level).length);
  return faults + warnings === 0 ? "All is well." : `${counted(faults, "error")}, ${counted(warnings, "warning")}.`;
}

async function start(): Promise<void> {
  run.value = { state: "running" };
  try {
    const { value } = await ask<AnswerOf<PageActions["doctor"]>>("/api/doctor", undefined, {});
    run.value = { state: "done", at: Date.now(), findings: value.findings };
  } catch (error) {
    if (!(error instanceof AskError)) throw error;
    run.value = { state: "failed", why: withHint(error) };
  }
}
