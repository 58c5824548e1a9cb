/**
 * Windows Task Scheduler: a task at log-on of the current user, without a password; or at boot (`system`), as the same user,
 * without anyone logged on (S4U).
 */
import { dirname, join } from "@std/path/windows";
import { fillTemplate, oneLine, windowsArgument, xmlText } from "./fill_template.ts";
import { markOf, type ServiceKind, type Step } from "./service.ts";

/** Task XML as `schtasks /create /xml` reads it; commands never ask for a password. */
export const taskScheduler: ServiceKind = {
  usualName: "ImageTransferDaemon",
  template: "service/ImageTransferDaemon.xml",
  nameOf: (written) => /^[A-Za-z0-9][A-Za-z0-9 _.-]{0,99}$/.test(written) ? written : null,
  title: (place) => `the task ${place.name}`,
  definition: (place) => ({ print: schtasks("/query", "/tn", place.name, "/xml") }),
  stateFolder: () => null,
  plan(request, template) {
    const { scope, account, name } = request;
    const text = fillTemplate(template, {
      user: xmlText(account.name),
      description: xmlText(oneLine(request.description)),
      mark: xmlText(markOf(request)),
      name: xmlText(name),
      trigger: scope === "system" ? BOOT : LOG_ON.replace("{{user}}", () => xmlText(account.name)),
      logon_type: scope === "system" ? "S4U" : "InteractiveToken",
      program: xmlText(windowsArgument(request.program)),
      arguments: xmlText(`run --config ${windowsArgument(request.config)}`),
      folder: xmlText(dirname(request.program)),
    });
    const path = join(dirname(request.logFile), `${name}.xml`);
    return {
      // schtasks reads UTF-16.
      files: [{ path, text: text.replaceAll("\n", "\r\n"), mode: 0o600, encoding: "utf-16le", passing: true }],
      enable: [{ command: schtasks("/create", "/tn", name, "/xml", path, "/f") }],
    };
  },
  controls({ name }) {
    const run: Step = { command: schtasks("/run", "/tn", name) };
    const end: Step = { command: schtasks("/end", "/tn", name), failing: "ignore" };
    const able = (how: "/enable" | "/disable"): Step => ({ command: schtasks("/change", "/tn", name, how) });
    return {
      start: [able("/enable"), run],
      // Enabled, its trigger would start it again within minutes.
      stop: [able("/disable"), end],
      restart: [able("/enable"), end, run],
      status: schtasks("/query", "/tn", name, "/v", "/fo", "LIST"),
      logs: null,
      forget: { before: [end], after: [{ command: schtasks("/delete", "/tn", name, "/f"), failing: "ignore" }] },
    };
  },
  rightsMissing: (output) => /access is denied|0x80070005|zugriff verweigert|acc[eè]s refus|acceso denegado/i.test(output),
};

function schtasks(...args: string[]) {
  return { program: "schtasks", args };
}

// Tried again every five minutes; while it runs, that is ignored. So a daemon that was ended is back soon, whatever ended it
// (Task Scheduler does not take every exit code for a failure).
const REPETITION = `<Repetition>
        <Interval>PT5M</Interval>
        <StopAtDurationEnd>false</StopAtDurationEnd>
      </Repetition>`;
const LOG_ON = `    <LogonTrigger>
      <Enabled>true</Enabled>
      ${REPETITION}
      <UserId>{{user}}</UserId>
    </LogonTrigger>`;
const BOOT = `    <BootTrigger>
      <Enabled>true</Enabled>
      ${REPETITION}
    </BootTrigger>`;
