/**
 * What `ssh` and `scp` mean by their exit code and error text. These programs say 255 or 1 for nearly everything, so the text decides;
 * what no row knows is told as it is.
 */
import type { Login, SshDestination } from "../../config/settings.ts";
import { type Cause, CAUSES, failure } from "../../domain/causes.ts";
import type { Failure } from "../../domain/failure.ts";
import { bareHost } from "../../domain/names/host_name.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Finished } from "../../system/system.ts";
import { shellQuote } from "../shell/shell_quote.ts";
import { meaningOf } from "./error_texts.ts";
import { connectSeconds, type SshProgram } from "./ssh.ts";

export interface Reached extends Pick<SshDestination, "name" | "timeoutMs"> {
  readonly transport: Login;
}

/** What a program of OpenSSH that ended with an error means for the destination. Never for one file alone. */
export function sshFailure(
  tool: SshProgram | "rsync",
  finished: Pick<Finished, "code" | "stderr"> & { readonly stdout?: string },
  destination: Reached,
): Failure {
  const { code, stderr, stdout = "" } = finished;
  const text = `${stderr}\n${stdout}`.replaceAll("\r\n", "\n");
  const said = lastLine(stderr) || lastLine(stdout);
  const row = TABLE.find(([pattern]) => pattern.test(text));
  if (row) return failure(row[1], `Cannot reach ${hostNamed(destination)}`, { said, words: wordsIn(text, destination) });
  const meaning = meaningOf(text);
  if (meaning) return failure(meaning, `Cannot write to ${destination.name}`, { said });
  if (code === 126 || code === 127) return noUsableShell(destination, said);
  return failure(CAUSES.ssh_ended, `Lost ${hostNamed(destination)}`, { said, words: { tool, status: `code ${code}` } });
}

export function noUsableShell({ name }: Pick<Reached, "name">, said: string): Failure {
  return failure(CAUSES.no_usable_shell, `Cannot use ${name}`, { said });
}

/** The host as messages call it: what concerns it is said of all destinations there, so none of their names fits. */
export function hostNamed({ transport: { host } }: Pick<Reached, "transport">): string {
  return printable(bareHost(host));
}

/** True where the text shows that the connection as a whole was lost or never made. */
export function isConnectionTrouble(text: string): boolean {
  return TABLE.some(([pattern]) => pattern.test(text));
}

/** What ssh named: the account, the key file, its own remedy for a changed host key. */
function wordsIn(text: string, destination: Reached): Readonly<Record<string, string>> {
  const user = /^(?:\S+: )?(\S+)@[^\s@]+: Permission denied/m.exec(text)?.[1] ?? destination.transport.user;
  const file = /Permissions \d+ for '(.+)' are too open|Load key "(.+)": /.exec(text);
  const key = printable(file?.[1] ?? file?.[2] ?? "");
  return {
    service: "ssh",
    who: user === null ? "" : ` as ${printable(user)}`,
    key,
    chmod: `chmod 600 ${shellQuote(key || "FILE")}`,
    forget: forgetHostKey(text, destination),
    seconds: String(connectSeconds(destination)),
    login: loginWords("ssh", destination.transport),
    test: loginWords("ssh", destination.transport, ["-o", "BatchMode=yes"], ["true"]),
  };
}

/**
 * The command that ssh itself prints (Debian's does), or the same made of what every ssh prints. The far side can print such a line,
 * too, and a person will type it: nothing may stand in it that a shell would do more with.
 */
function forgetHostKey(text: string, { transport: { host, port } }: Reached): string {
  const own = OWN_REMEDY.exec(text)?.[1];
  if (own !== undefined) return printable(own);
  const file = /Offending (?:\S+ )?key (?:for \S+ )?in (.+):\d+$/m.exec(text)?.[1];
  const bare = bareHost(host);
  const known = /Host key for (\S+) has changed/.exec(text)?.[1] ?? (port === null || port === 22 ? bare : `[${bare}]:${port}`);
  return `ssh-keygen ${file === undefined ? "" : `-f ${shellQuote(printable(file))} `}-R ${shellQuote(printable(known))}`;
}

/** A file and a host, quoted as shells take them literally: `ssh-keygen -f "/home/o/.ssh/known_hosts" -R "[freya]:2222"`. */
const OWN_REMEDY =
  /^[ \t]*(ssh-keygen -f (?:"[^"$`\\!\n]+"|'[^'\n]+'|[\w./~-]+) -R (?:"[\w.:%[\]-]+"|'[\w.:%[\]-]+'|[\w.:%-]+))[ \t]*$/m;

/** The command with which a person tries the very login that is configured: `ssh -p 2222 … observer@freya true`. */
export function loginWords(
  program: "ssh" | "ssh-copy-id",
  { host, user, port }: Login,
  options: readonly string[] = [],
  command: readonly string[] = [],
): string {
  const place = shellQuote(printable(`${user === null ? "" : `${user}@`}${bareHost(host)}`));
  return [program, ...(port === null ? [] : ["-p", String(port)]), ...options, place, ...command].join(" ");
}

/** How the public key gets to the server, as the end of a sentence that begins with "copy it with". Windows has no ssh-copy-id. */
export function copyKeyWords(login: Login, platform: "linux" | "darwin" | "windows"): string {
  if (platform !== "windows") return `\`${loginWords("ssh-copy-id", login)}\``;
  const there = '"umask 077; mkdir -p .ssh; cat >> .ssh/authorized_keys"';
  return `\`type $env:USERPROFILE\\.ssh\\id_ed25519.pub | ${loginWords("ssh", login, [], [there])}\` in PowerShell`;
}

/** The last line that says something, without control characters, at most 200 characters. */
function lastLine(text: string): string {
  const lines = text.split(/[\r\n]+/).map((line) => line.trim()).filter((line) => line !== "" && !/^@+$/.test(line));
  const told = lines.filter((line) =>
    !/^(Warning: Permanently added|lost connection$|scp: Connection closed|Connection closed\.?$)/.test(line)
  );
  return printable(told.at(-1) ?? lines.at(-1) ?? "").slice(0, 200);
}

/** In order: the first row that matches decides. */
const TABLE: readonly (readonly [RegExp, Cause])[] = [
  [
    /HOST IDENTIFICATION HAS CHANGED|host key for .* has changed|Offending .*key in|REVOKED HOST KEY|marked as revoked/i,
    CAUSES.host_key_changed,
  ],
  [
    /No .*host key is known for|Host key verification failed|authenticity of host .* can't be established/i,
    CAUSES.host_key_unknown,
  ],
  [/UNPROTECTED PRIVATE KEY FILE|bad permissions: ignore key|Load key .*: bad permissions/i, CAUSES.key_exposed],
  [/Load key .*: Permission denied/i, CAUSES.key_unreadable],
  [
    /Permission denied(, please try again| \([a-z, -]*\))|Too many authentication failures|No supported authentication methods|Authentication failed|account has expired|password has expired|Password change required|sign_and_send_pubkey: (signing failed|no mutual)/i,
    CAUSES.ssh_login_refused,
  ],
  [
    /Bad owner or permissions on|Bad configuration option|terminating, \d+ bad configuration|Can't open user config file|keyword \S+ extra arguments|too long for Unix domain socket/i,
    CAUSES.ssh_config,
  ],
  [/Unable to negotiate|no matching .* found|no common .*algorithm|Protocol major versions differ/i, CAUSES.nothing_in_common],
  [/Could not resolve hostname|Name or service not known|nodename nor servname/i, CAUSES.unknown_host],
  [/timed out during banner exchange/i, CAUSES.no_banner],
  [
    /Not allowed at this time|Exceeded MaxStartups|kex_exchange_identification|ssh_exchange_identification|banner exchange/i,
    CAUSES.closed_before_login,
  ],
  [/Connection refused/i, CAUSES.nobody_listens],
  [/Timeout, server .* not responding|Connection to .* timed out|keepalive/i, CAUSES.server_silent],
  [
    /timed out|No route to host|Network is (unreachable|down)|Host is down|Destination Host Unreachable|Cannot assign requested address/i,
    CAUSES.host_silent,
  ],
  [/Received message too long/i, CAUSES.shell_prints],
  [
    /allows sftp connections only|account is currently not available|(shell|exec|subsystem) request failed|request failed on channel/i,
    CAUSES.service_refused,
  ],
  [
    /Session open refused by peer|administratively prohibited|open failed|mux_client_\w+: .*(refused|failed)/i,
    CAUSES.no_more_sessions,
  ],
  [/Corrupted MAC|message authentication code incorrect|Bad packet length/i, CAUSES.damaged_on_the_way],
  [
    /Connection closed|closed by remote host|closed by UNKNOWN|Connection reset|Broken pipe|client_loop|connection abort|lost connection|Connection to .* closed|Received disconnect|disconnected|mux_client_/i,
    CAUSES.connection_lost,
  ],
];
