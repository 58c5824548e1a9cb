/**
 * The program's own keys: load, log, page, state.
 *
 * @module
 */
import { isHostName } from "../../domain/names/host_name.ts";
import type { LogSettings, Settings, WebSettings } from "../../domain/settings.ts";
import { expandPath, expandVariables } from "./expand_path.ts";
import { resolved, type Resolving, type Section, withDefaults } from "./resolving.ts";
import { programSchema } from "../schema/schema.ts";
import { programShape, webShape } from "../schema/schema_program.ts";
import type { Path } from "../read/source.ts";

type ProgramKeys = ReturnType<typeof programSchema.parse>;

/** Resolves the keys at the top of the file. */
export function resolveProgram(root: Section, to: Resolving): {
  settings: Omit<Settings, "file" | "jobs" | "log"> & { log: Omit<LogSettings, "namesDestinations"> };
  full: Section;
} {
  const keys = programSchema.parse(root);
  const path = (key: string, written: string) => resolved(key, expandPath(written, to.around), [key], to);
  const log = logSettings(keys, path);
  const stateDirectory = path("state_directory", keys.state_directory ?? usualStateDirectory(to.around));
  const pidFile = keys.pid_file === undefined ? null : path("pid_file", keys.pid_file);
  const web = webSettings(keys.web, to);
  const settings = {
    stateDirectory,
    pidFile,
    autoReload: keys.auto_reload,
    shutdownTimeoutMs: keys.shutdown_timeout_seconds,
    maxConcurrentSyncs: keys.max_concurrent_syncs ?? null,
    maxFileOperations: keys.max_file_operations,
    syncQueueSize: keys.sync_queue_size,
    log,
    web,
    report: keys.report === false ? null : keys.report,
  };
  const shown = {
    ...root,
    log_level: log.level,
    log_directory: log.directory,
    log_file: log.file,
    state_directory: stateDirectory,
    pid_file: pidFile ?? undefined,
  };
  const full = withDefaults(programShape, {
    ...shown,
    web: web === null ? false : withDefaults(webShape, typeof root["web"] === "object" ? root["web"] as Section : {}),
  });
  return { settings, full };
}

function logSettings(keys: ProgramKeys, path: (key: string, written: string) => string): Omit<LogSettings, "namesDestinations"> {
  const whole = /[/\\]/.test(keys.log_file) ? path("log_file", keys.log_file) : null;
  const end = whole === null ? -1 : Math.max(whole.lastIndexOf("/"), whole.lastIndexOf("\\"));
  return {
    level: keys.log_level === "warn" ? "warning" : keys.log_level,
    directory: whole === null ? path("log_directory", keys.log_directory) : whole.slice(0, Math.max(end, 1)),
    file: whole === null ? keys.log_file : whole.slice(end + 1),
    maxBytes: keys.log_max_bytes,
    backupCount: keys.log_backup_count,
    format: keys.log_format,
  };
}

/** Where a system keeps the state of programs; a systemd service is told its own place. */
function usualStateDirectory(around: Resolving["around"]): string {
  const given = around.env("STATE_DIRECTORY")?.split(":")[0];
  if (given && around.platform === "linux") return given;
  if (around.platform === "darwin") return "~/Library/Application Support/image-transfer";
  if (around.platform === "windows") return `${around.env("LOCALAPPDATA") ?? "~\\AppData\\Local"}\\image-transfer`;
  return "~/.local/state/image-transfer";
}

function webSettings(web: ProgramKeys["web"], to: Resolving): WebSettings | null {
  if (web === false) return null;
  const keys = web === true ? programSchema.parse({}).web : web;
  if (typeof keys === "boolean") return null;
  const address = parseListen(String(keys.listen));
  if (address === null) {
    to.report(["web", "listen"], `"web.listen" must be an address and a port, like 127.0.0.1:9090, not "${keys.listen}"`);
    return null;
  }
  const file = (key: string, written: string | undefined) =>
    written === undefined ? null : resolved(`web.${key}`, expandPath(written, to.around), ["web", key], to);
  const settings = {
    ...address,
    token: keys.token === undefined ? null : secret("web.token", keys.token, ["web", "token"], to),
    tlsCert: file("tls_cert", keys.tls_cert),
    tlsKey: file("tls_key", keys.tls_key),
    metrics: keys.metrics,
  };
  if (settings.token !== null && settings.token.length < 16) {
    to.report(["web", "token"], '"web.token" must be text of at least 16 characters');
  }
  if ((settings.tlsCert === null) !== (settings.tlsKey === null)) {
    to.report(
      ["web", settings.tlsCert === null ? "tls_key" : "tls_cert"],
      '"web.tls_cert" and "web.tls_key" must be set together; one is missing',
    );
  }
  if (!isLoopback(address.host) && (settings.token === null || settings.tlsCert === null)) {
    to.report(
      ["web", "listen"],
      `"web.listen" lets other computers connect at ${address.host}; this also requires "token", "tls_cert" and "tls_key"`,
    );
  }
  return settings;
}

/** `host:port`, `[v6]:port`, or a port alone, which is one of this computer only; null where it is none. */
function parseListen(text: string): { host: string; port: number } | null {
  const match = /^(?:(?:\[([^\]]+)\]|([^:]+)):)?(\d{1,5})$/.exec(text.trim());
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2] ?? "127.0.0.1";
  return match && port <= 65535 && isHostName(host) ? { host, port } : null;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** A secret that is only the name of an environment variable is that variable's value. */
function secret(key: string, written: string, at: Path, to: Resolving): string {
  return /^\$(\w+|\{\w+\})$/.test(written) ? resolved(key, expandVariables(written, to.around), at, to) : written;
}
