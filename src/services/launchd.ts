/** launchd: an agent of the user who is logged on, or a daemon of the computer that runs as an account. */
import { dirname, join } from "@std/path/posix";
import { fillTemplate, oneLine, xmlText } from "./fill_template.ts";
import { markOf, type ServiceKind, type ServicePlace, type Step } from "./service.ts";

/** launchd.plist(5); a job that is stopped is booted out, one that starts is enabled and bootstrapped. */
export const launchd: ServiceKind = {
  usualName: "com.observatory.imagetransfer",
  template: "service/com.observatory.imagetransfer.plist",
  nameOf(written) {
    const name = written.replace(/\.plist$/, "");
    return /^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/.test(name) ? name : null;
  },
  title: (place) => place.name,
  definition: (place) => ({ file: plistFile(place) }),
  stateFolder: () => null,
  plan(request, template) {
    const { scope, account, logFile } = request;
    const user = scope === "system" ? `    <key>UserName</key>\n    <string>${xmlText(account.name)}</string>` : "";
    const text = fillTemplate(template, {
      // Two hyphens end a comment.
      comment: xmlText(oneLine(request.description).replace(/-(?=-)/g, "- ").replace(/-$/, "")),
      mark: markOf(request),
      label: xmlText(request.name),
      program: xmlText(request.program),
      config: xmlText(request.config),
      user,
      home: xmlText(account.home),
      user_name: xmlText(account.name),
      stop_seconds: String(request.stopSeconds),
      output: xmlText(join(dirname(logFile), `${request.name}.out.log`)),
      errors: xmlText(join(dirname(logFile), `${request.name}.err.log`)),
    });
    // There is nothing to enable before the start: launchd reads the folder at log-on or boot.
    return { files: [{ path: plistFile(request), text, mode: 0o644 }], enable: [] };
  },
  controls(place) {
    const domain = place.scope === "system" ? "system" : `gui/${place.account.uid}`;
    const target = `${domain}/${place.name}`;
    const step = (...args: string[]): Step => ({ command: { program: "launchctl", args } });
    // What is booted out goes in the background; until it has gone, the same label is refused.
    const bootOut: Step = { ...step("bootout", target), failing: "ignore" };
    const bootstrap: Step = { ...step("bootstrap", domain, plistFile(place)), tries: 10 };
    return {
      start: [step("enable", target), { ...bootstrap, tries: 1, failing: "ignore" }, { ...step("kickstart", target), tries: 10 }],
      stop: [bootOut],
      restart: [bootOut, step("enable", target), bootstrap, step("kickstart", target)],
      status: { program: "launchctl", args: ["print", target] },
      logs: null,
      forget: { before: [bootOut], after: [] },
    };
  },
  rightsMissing: (output) => /operation not permitted|permission denied|must be (run as )?root|not privileged/i.test(output),
};

function plistFile({ name, scope, account }: ServicePlace): string {
  return scope === "system"
    ? `/Library/LaunchDaemons/${name}.plist`
    : join(account.home, "Library/LaunchAgents", `${name}.plist`);
}
