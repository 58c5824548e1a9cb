/**
 * The view Setup: how the daemon is set up, and whether all it needs works. Nothing can be changed here.
 *
 * @module
 */
import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { printable } from "../../../domain/names/printable.ts";
import type { SetupHook, SetupReport, SetupSchedule } from "../../../reports/api_types.ts";
import { ago, duration } from "../parts/format.ts";
import { Glyph } from "../parts/glyph.tsx";
import { PathText } from "../parts/name.tsx";
import { Panel } from "../parts/panel.tsx";
import { Time } from "../parts/time.tsx";
import { useAsk } from "../store/ask.ts";
import { now } from "../store/clock.ts";
import { Checks } from "./checks.tsx";

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
      {error !== null && <p class="problem" role="alert">{`${error.message}. ${error.hint}`}</p>}
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
      <dl class="setup-facts">
        <div>
          <dt>Version</dt>
          <dd>image-transfer {version}</dd>
        </div>
        <div>
          <dt>Running since</dt>
          <dd>
            <Time at={startedAt} shape="full" /> <span class="dim">({duration(now.value - startedAt)})</span>
          </dd>
        </div>
        <div>
          <dt>Configuration file</dt>
          <dd class="mono">{file === null ? "none" : <PathText text={file} />}</dd>
        </div>
        <div>
          <dt>Last reload</dt>
          <dd>
            {reload === null
              ? <span class="dim">none since the daemon started</span>
              : (
                <span class={`state tone-text-${reload.problem === null ? "good" : "bad"}`}>
                  <Glyph name={reload.problem === null ? "good" : "bad"} />
                  <span>
                    {reload.problem === null ? "in force" : "rejected; the previous configuration is still in force"},{" "}
                    <Time at={reload.at} shape="full" />
                  </span>
                </span>
              )}
          </dd>
        </div>
      </dl>
      {reload !== null && reload.problem !== null && (
        <div class="why tone-bad" role="alert">
          <p class="why-message">{printableLines(reload.problem)}</p>
          <p class="why-hint">
            Correct the file and save it, then run: <code>image-transfer reload</code>
          </p>
        </div>
      )}
      {notes.map((note) => (
        <div key={note} class="why tone-warning">
          <p class="why-message">{printable(note)}</p>
        </div>
      ))}
    </Panel>
  );
}

function Schedules({ schedules }: { readonly schedules: readonly SetupSchedule[] }): JSX.Element {
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
  ok: { tone: "good", glyph: "good", word: "worked" },
  late: { tone: "warning", glyph: "warning", word: "failed, will be retried" },
  given_up: { tone: "bad", glyph: "bad", word: "failed, given up" },
} as const;

function Hooks({ hooks }: { readonly hooks: readonly SetupHook[] }): JSX.Element {
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

function Hook({ hook: { job, name, kind, on, last } }: { readonly hook: SetupHook }): JSX.Element {
  const result = last === null ? null : RESULTS[last.result];
  return (
    <li>
      <strong class="mono">{printable(name)}</strong>
      <span class="dim">{kind === "command" ? "program" : "webhook"} of {printable(job)}, on {on.join(", ")}</span>
      {last === null || result === null
        ? <span class="dim">not called since the daemon started</span>
        : (
          <span class={`state tone-text-${result.tone}`}>
            <Glyph name={result.glyph} />
            <span>{result.word} ({last.on}), {ago(now.value - last.at)}</span>
          </span>
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
      aside={configuration !== null && (
        <button type="button" class="button" onClick={choose}>
          {copied ? "Copied" : "Copy"}
        </button>
      )}
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
