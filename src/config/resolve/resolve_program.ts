/** The program's own keys: load, log, page, state. */
import { isHostName } from "../../domain/names/host_name.ts";
import { expandPath, isHidden } from "./expand_path.ts";
import { resolved, resolveKeys, type Resolving, type Section, withDefaults } from "./resolving.ts";
import { daemonKeys, loadKeys, logKeys, pocketbaseShape, programShape, webKeys, webShape } from "../schema/schema_program.ts";
import type { LogSettings, PocketbaseSettings, Settings, WebSettings } from "../settings.ts";
import { isSection } from "../read/source.ts";

/** Resolves the keys at the top of the file. */
export function resolveProgram(root: Section, to: Resolving): {
  settings: Omit<Settings, "file" | "notes" | "jobs" | "log"> & { log: Omit<LogSettings, "namesDestinations"> };
  full: Section;
} {
  const place = { state_directory: usualStateDirectory(to.around), ...root };
  const options = resolveKeys({ ...loadKeys, ...daemonKeys }, place, [], to);
  const log = logSettings(root, to);
  const web = webSettings(root["web"], to);
  const report = webKeys.report.parse(root["report"]);
  const pocketbase = isSection(root["pocketbase"]) ? pocketbaseSettings(root["pocketbase"], to) : null;
  const full = withDefaults(programShape, {
    ...root,
    log_level: log.level,
    log_directory: log.directory,
    log_file: log.file,
    state_directory: options.stateDirectory,
    pid_file: options.pidFile ?? undefined,
    web: web === null ? false : withDefaults(webShape, isSection(root["web"]) ? root["web"] : {}),
  });
  const sent = report === false ? null : { at: report.at, to: report.to ?? null, fleet: report.fleet };
  if (sent?.fleet && pocketbase === null) {
    to.report(["report", "fleet"], '"report.fleet" needs "pocketbase": the server that all computers report to');
  }
  return { settings: { ...options, log, web, report: sent, pocketbase }, full };
}

function pocketbaseSettings(written: Section, to: Resolving): PocketbaseSettings {
  const settings = resolveKeys(pocketbaseShape, written, ["pocketbase"], to);
  const { admin_password: password, admin_password_file: file } = written;
  if (password !== undefined && file !== undefined) {
    to.report(["pocketbase", "admin_password_file"], '"admin_password" and "admin_password_file" are both set; keep one');
  }
  if (password === undefined && file === undefined) {
    to.report(["pocketbase"], '"pocketbase" needs "admin_password" or "admin_password_file"');
  }
  const url = URL.parse(settings.url);
  const isInClear = url?.protocol === "http:";
  if (settings.tlsCa !== null && isInClear) {
    to.report(
      ["pocketbase", "tls_ca"],
      '"pocketbase.tls_ca" is for an https URL; http sends everything in clear, the password too',
    );
  }
  const host = url?.hostname.replace(/^\[|\]$/g, "") ?? "localhost";
  if (isInClear && !isLoopback(host) && settings.allowHttp?.toLowerCase() !== host) {
    const advice = `use https, or, where nobody else can listen, set "allow_http: ${host}"`;
    to.report(["pocketbase", "url"], `"pocketbase.url" must not be http: it sends the password in clear; ${advice}`);
  }
  const folder = (key: string) => (written: string): string => {
    const path = resolved(key, expandPath(written, to.around), ["pocketbase"], to);
    if (isHidden(path)) to.report(["pocketbase", key], `"pocketbase.${key}" cannot allow hidden folders, "${written}"`);
    return path;
  };
  const place = (written: string) => /^[~/\\$]|^[a-z]:[\\/]/i.test(written) ? folder("may_send_to")(written) : written;
  return {
    ...settings,
    mayWatch: settings.mayWatch.map(folder("may_watch")),
    maySendTo: settings.maySendTo.map(place),
  };
}

/** A `log_file` with a folder in it makes `log_directory` meaningless. */
function logSettings(root: Section, to: Resolving): Omit<LogSettings, "namesDestinations"> {
  const options = resolveKeys(logKeys, root, [], to);
  const path = (key: string, written: string) => resolved(key, expandPath(written, to.around), [], to);
  if (!/[/\\]/.test(options.file)) return { ...options, directory: path("log_directory", options.directory) };
  const whole = path("log_file", options.file);
  const end = Math.max(whole.lastIndexOf("/"), whole.lastIndexOf("\\"));
  return { ...options, directory: whole.slice(0, Math.max(end, 1)), file: whole.slice(end + 1) };
}

/** Where a system keeps the state of programs; systemd gives a service its own folder. */
function usualStateDirectory(around: Resolving["around"]): string {
  const given = around.env("STATE_DIRECTORY")?.split(":")[0];
  if (given && around.platform === "linux") return given;
  if (around.platform === "darwin") return "~/Library/Application Support/image-transfer";
  if (around.platform === "windows") return `${around.env("LOCALAPPDATA") ?? "~\\AppData\\Local"}\\image-transfer`;
  return "~/.local/state/image-transfer";
}

function webSettings(written: unknown, to: Resolving): WebSettings | null {
  if (written === false) return null;
  const { listen, ...options } = resolveKeys(webShape, isSection(written) ? written : {}, ["web"], to);
  const address = parseListen(String(listen));
  if (address === null) {
    to.report(["web", "listen"], `"web.listen" must be an address and a port, like 127.0.0.1:9090, not "${listen}"`);
    return null;
  }
  const settings = { ...options, ...address };
  for (const [key, token] of [["token", settings.token], ["metrics_token", settings.metricsToken]] as const) {
    if (token !== null && token.length < 16) to.report(["web", key], `"web.${key}" must be text of at least 16 characters`);
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

/** `host:port`, `[v6]:port`, or a port alone, which means this computer only; null for anything else. */
function parseListen(text: string): { host: string; port: number } | null {
  const match = /^(?:(?:\[([^\]]+)\]|([^:]+)):)?(\d{1,5})$/.exec(text.trim());
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2] ?? "127.0.0.1";
  return match && port <= 65535 && isHostName(host) ? { host, port } : null;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}
