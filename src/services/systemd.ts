/**
 * systemd: a unit for the whole computer, sandboxed to the folders that the daemon needs, or one for the user's own manager,
 * with as much of the sandbox as works without rights.
 */
import { join } from "@std/path/posix";
import type { Command } from "../system/system.ts";
import { fillTemplate, oneLine, unitArgument, unitText, unitWord } from "./fill_template.ts";
import { markOf, type ServiceKind, type ServicePlace, type ServiceRequest, type Step } from "./service.ts";

/** systemd.service(5) and systemd.exec(5); a system service's state folder is `/var/lib/<name>`. */
export const systemd: ServiceKind = {
  usualName: "image-transfer",
  template: "service/image-transfer.service",
  nameOf(written) {
    const name = written.replace(/\.service$/, "");
    return /^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/.test(name) ? name : null;
  },
  title: (place) => `${place.name}.service`,
  definition: (place) => ({ file: unitFile(place) }),
  stateFolder: ({ name, scope }) => scope === "system" ? `/var/lib/${name}` : null,
  plan(request, template) {
    const { scope, account } = request;
    const unit = `${request.name}.service`;
    const text = fillTemplate(template, {
      mark: markOf(request),
      unit: `${scope === "user" ? "--user " : ""}edit ${unit}`,
      description: unitText(request.description),
      comment: oneLine(request.description).replace(/\\+$/, ""),
      order: scope === "system" ? ORDER : "",
      program: unitArgument(request.program),
      config: unitArgument(request.config),
      account: scope === "system" ? accountLines(request) : "",
      stop_seconds: String(request.stopSeconds),
      sandbox: scope === "system" ? sandbox(request) : USER_SANDBOX,
      wanted_by: scope === "system" ? "multi-user.target" : "default.target",
    });
    const linger: Step = {
      command: { program: "loginctl", args: ["enable-linger", account.name] },
      failing: "warn",
      hint: `Without this the service runs only while ${account.name} is logged on: sudo loginctl enable-linger ${account.name}`,
    };
    return {
      files: [{ path: unitFile(request), text, mode: 0o644 }],
      enable: [
        { command: systemctl(request, "daemon-reload") },
        { command: systemctl(request, "enable", unit) },
        ...(scope === "user" ? [linger] : []),
      ],
    };
  },
  controls(place) {
    const unit = `${place.name}.service`;
    const step = (...words: string[]): Step => ({ command: systemctl(place, ...words) });
    const whose = place.scope === "user" ? ["--user"] : [];
    return {
      start: [step("start", unit)],
      stop: [step("stop", unit)],
      restart: [step("restart", unit)],
      status: systemctl(place, "status", "--no-pager", "--full", "--lines=5", unit),
      logs: (lines, follow) => ({
        program: "journalctl",
        args: [...whose, "--unit", unit, "--no-pager", "--lines", String(lines), ...(follow ? ["--follow"] : [])],
      }),
      forget: {
        before: [{ ...step("disable", "--now", unit), failing: "ignore" }],
        after: [step("daemon-reload"), { ...step("reset-failed", unit), failing: "ignore" }],
      },
    };
  },
  rightsMissing: (output) => /access denied|interactive authentication|permission denied|not permitted/i.test(output),
};

function unitFile({ name, scope, account }: ServicePlace): string {
  const folder = scope === "system" ? "/etc/systemd/system" : join(account.home, ".config/systemd/user");
  return join(folder, `${name}.service`);
}

/** `systemctl` for the system or the user's own manager. */
function systemctl({ scope, account }: ServicePlace, ...words: string[]): Command {
  if (scope === "system") return { program: "systemctl", args: words };
  // Where nobody logged on (su, cron) the variable is missing, but the manager may well be there.
  return { program: "systemctl", args: ["--user", ...words], env: { XDG_RUNTIME_DIR: `/run/user/${account.uid}` } };
}

/** Network file systems and the network first; the start never fails for good. */
const ORDER = `Wants=network-online.target
After=network-online.target remote-fs.target time-sync.target`;

function accountLines({ name, account, formerState }: ServiceRequest): string {
  return [
    `User=${unitText(account.name)}`,
    ...(formerState === null
      ? [`StateDirectory=${name}`, "StateDirectoryMode=0700"]
      : [`Environment=${unitWord(`STATE_DIRECTORY=${formerState}`)}`]),
    `RuntimeDirectory=${name}`,
    "RuntimeDirectoryMode=0700",
  ].join("\n");
}

/** What the user's own manager may do: no name spaces, as those would hide who has a file open. */
const USER_SANDBOX = `NoNewPrivileges=yes
LockPersonality=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM`;

/** Sees the system read-only and writes nowhere but to the folders needed. */
function sandbox({ needs, stateDirectory, name }: ServiceRequest): string {
  // The state folder that systemd makes is writable as it is.
  const writable = needs.writable.filter((path) => path !== `/var/lib/${name}` || path !== stateDirectory);
  const all = [...needs.writable, ...needs.readable];
  const isIn = (folders: readonly string[]) => all.some((path) => folders.some((folder) => `${path}/`.startsWith(`${folder}/`)));
  return [
    "ProtectSystem=strict",
    // A minus sign: a folder that is missing today (a disk that is not plugged in) does not keep the daemon from starting.
    ...writable.map((path) => `ReadWritePaths=${unitWord(`-${path}`)}`),
    `ProtectHome=${isIn(["/home", "/root", "/run/user"]) ? "read-only" : "yes"}`,
    // A private /tmp would hide what is watched there.
    `PrivateTmp=${isIn(["/tmp", "/var/tmp"]) ? "no" : "yes"}`,
    SYSTEM_SANDBOX,
  ].join("\n");
}

// Neither MemoryDenyWriteExecute (the runtime compiles code while it runs) nor PrivateUsers (it would hide who has a file open).
const SYSTEM_SANDBOX = `NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
PrivateDevices=yes
DevicePolicy=closed
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
ProtectProc=invisible
ProcSubset=pid
LockPersonality=yes
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM`;
