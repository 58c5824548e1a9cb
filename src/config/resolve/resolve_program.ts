/**
 * The program's own keys: load, log, page, state.
 *
 * @module
 */
import { isHostName } from "../../domain/names/host_name.ts";
import { expandPath, expandVariables } from "./expand_path.ts";
import { resolved, type Resolving, type Section, withDefaults } from "./resolving.ts";
import { daemonKeys, loadKeys, logKeys, programShape, webKeys, webShape } from "../schema/schema_program.ts";
import { settingsOf } from "../schema/settings_of.ts";
import type { LogSettings, Settings, WebSettings } from "../settings.ts";
import type { Path } from "../read/source.ts";

/** Resolves the keys at the top of the file. */
export function resolveProgram(root: Section, to: Resolving): {
  settings: Omit<Settings, "file" | "jobs" | "log"> & { log: Omit<LogSettings, "namesDestinations"> };
  full: Section;
} {
  const path = (key: string, written: string) => resolved(key, expandPath(written, to.around), [key], to);
  const options = settingsOf({ ...loadKeys, ...daemonKeys }, root);
  const log = logSettings(root, path);
  const stateDirectory = path("state_directory", options.stateDirectory ?? usualStateDirectory(to.around));
  const pidFile = options.pidFile === null ? null : path("pid_file", options.pidFile);
  const web = webSettings(root, to);
  const report = webKeys.report.parse(root["report"]);
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
  return { settings: { ...options, stateDirectory, pidFile, log, web, report: report === false ? null : report }, full };
}

function logSettings(root: Section, path: (key: string, written: string) => string): Omit<LogSettings, "namesDestinations"> {
  const options = settingsOf(logKeys, root);
  if (!/[/\\]/.test(options.file)) return { ...options, directory: path("log_directory", options.directory) };
  const whole = path("log_file", options.file);
  const end = Math.max(whole.lastIndexOf("/"), whole.lastIndexOf("\\"));
  return { ...options, directory: whole.slice(0, Math.max(end, 1)), file: whole.slice(end + 1) };
}

/** Where a system keeps the state of programs; a systemd service is told its own place. */
function usualStateDirectory(around: Resolving["around"]): string {
  const given = around.env("STATE_DIRECTORY")?.split(":")[0];
  if (given && around.platform === "linux") return given;
  if (around.platform === "darwin") return "~/Library/Application Support/image-transfer";
  if (around.platform === "windows") return `${around.env("LOCALAPPDATA") ?? "~\\AppData\\Local"}\\image-transfer`;
  return "~/.local/state/image-transfer";
}

function webSettings(root: Section, to: Resolving): WebSettings | null {
  const section = webKeys.web.parse(root["web"]);
  if (section === false) return null;
  const { listen, ...options } = settingsOf(webShape, section === true ? {} : section);
  const address = parseListen(String(listen));
  if (address === null) {
    to.report(["web", "listen"], `"web.listen" must be an address and a port, like 127.0.0.1:9090, not "${listen}"`);
    return null;
  }
  const file = (key: string, written: string | null) =>
    written === null ? null : resolved(`web.${key}`, expandPath(written, to.around), ["web", key], to);
  const settings = {
    ...options,
    ...address,
    token: options.token === null ? null : secret("web.token", options.token, ["web", "token"], to),
    tlsCert: file("tls_cert", options.tlsCert),
    tlsKey: file("tls_key", options.tlsKey),
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
