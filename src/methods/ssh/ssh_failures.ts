/**
 * The one table from exit code and error text of `ssh` and `scp` to a Failure that says what to do. These
 * programs say 255 or 1 for nearly everything, so the text decides; what no row knows is told as it is.
 *
 * @module
 */
import { Failure, type FailureCode, type NextStep } from "../../domain/failure.ts";
import { bareHost } from "../../domain/names/host_name.ts";
import type { Login, SshDestination } from "../../config/settings.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Finished } from "../../system/system.ts";
import { SILENCE_STARTUP } from "../shell/startup_output.ts";
import { meaningOf } from "./error_texts.ts";
import { shellQuote } from "../shell/shell_quote.ts";
import { connectSeconds, type SshProgram } from "./ssh.ts";

/** What is needed of a destination to explain why a connection to it failed. */
export interface Reached extends Pick<SshDestination, "name" | "timeoutMs"> {
  readonly transport: Login;
}

interface Row {
  readonly pattern: RegExp;
  readonly code: FailureCode;
  readonly next?: NextStep;
  readonly reason: string;
  readonly hint: string;
}

/** What a program of OpenSSH that ended with an error means for the destination. Never for one file alone. */
export function sshFailure(
  tool: SshProgram | "rsync",
  finished: Pick<Finished, "code" | "stderr"> & { readonly stdout?: string },
  destination: Reached,
): Failure {
  const text = `${finished.stderr}\n${finished.stdout ?? ""}`.replaceAll("\r\n", "\n");
  const row = TABLE.find(({ pattern }) => pattern.test(text));
  const told = lastLine(finished.stderr) || lastLine(finished.stdout ?? "");
  if (row) {
    const reason = filled(row.reason, text, destination);
    return new Failure(row.code, `Cannot reach ${hostNamed(destination)}: ${reason}${told ? ` (${told})` : ""}`, {
      hint: filled(row.hint, text, destination),
      ...(row.next ? { next: row.next } : {}),
    });
  }
  const meaning = meaningOf(text);
  if (meaning) {
    return new Failure(meaning.code, `Cannot write to ${destination.name}: ${meaning.reason} (${told})`, { hint: meaning.hint });
  }
  if (finished.code === 126 || finished.code === 127) {
    return noUsableShell(destination, told);
  }
  return new Failure(
    "interrupted",
    `Lost ${hostNamed(destination)}: ${tool} ended with code ${finished.code}${told ? ` (${told})` : ""}`,
    {
      hint: "It is retried automatically. `image-transfer doctor` tests the connection step by step.",
    },
  );
}

/** `told` is what shows that, if anything does. */
export function noUsableShell({ name }: Pick<Reached, "name">, told: string): Failure {
  const why = told === "" ? "" : ` (${told})`;
  return new Failure("tool_missing", `Cannot use ${name}: the account has no usable shell${why}`, { hint: NO_SHELL });
}

/** The host as messages call it: what concerns it is said of all destinations there, so none of their names fits. */
export function hostNamed({ transport: { host } }: Pick<Reached, "transport">): string {
  return printable(bareHost(host));
}

/** True where the text shows that the connection as a whole was lost or never made. */
export function isConnectionTrouble(text: string): boolean {
  return TABLE.some(({ pattern }) => pattern.test(text));
}

/** A reason or a hint with what ssh named: the account, the key file, its own remedy for a changed host key. */
function filled(sentence: string, text: string, destination: Reached): string {
  const words: Readonly<Record<string, () => string>> = {
    who: () => {
      const user = /^(?:\S+: )?(\S+)@[^\s@]+: Permission denied/m.exec(text)?.[1] ?? destination.transport.user;
      return user === null ? "" : ` as ${printable(user)}`;
    },
    key: () => keyFile(text) ?? "",
    chmod: () => `chmod 600 ${shellQuote(keyFile(text) ?? "FILE")}`,
    forget: () => forgetHostKey(text, destination),
    seconds: () => String(connectSeconds(destination)),
    login: () => loginWords("ssh", destination.transport),
    test: () => loginWords("ssh", destination.transport, ["-o", "BatchMode=yes"], ["true"]),
  };
  return sentence.replace(/\{(\w+)\}/g, (whole, name: string) => words[name]?.() ?? whole);
}

function keyFile(text: string): string | null {
  const file = /Permissions \d+ for '(.+)' are too open|Load key "(.+)": /.exec(text);
  return file && printable(file[1] ?? file[2] ?? "");
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

// `watch` and `copy` have no configuration that doctor could check.
const ENROLL = "`image-transfer doctor --enroll`, or without a configuration `{login}`, shows its fingerprint and accepts it.";
const NO_SHELL = "Set transfer_method to sftp (or auto): it needs no shell at the destination.";
const SELF = "It is retried automatically.";

/** In order: the first row that matches decides. */
const TABLE: readonly Row[] = [
  {
    pattern: /HOST IDENTIFICATION HAS CHANGED|host key for .* has changed|Offending .*key in|REVOKED HOST KEY|marked as revoked/i,
    code: "host_key_changed",
    reason: "the host key has changed",
    hint:
      `Find out why first: somebody may be intercepting the connection. If the host was reinstalled, remove the old key with \`{forget}\`; then ${ENROLL}`,
  },
  {
    pattern: /No .*host key is known for|Host key verification failed|authenticity of host .* can't be established/i,
    code: "host_key_unknown",
    reason: "the host key is not known yet",
    hint: ENROLL,
  },
  {
    pattern: /UNPROTECTED PRIVATE KEY FILE|bad permissions: ignore key|Load key .*: bad permissions/i,
    code: "login_refused",
    reason: 'ssh does not use the private key "{key}" because other accounts can read it',
    hint: "Run `{chmod}` as the account that runs image-transfer.",
  },
  {
    pattern: /Load key .*: Permission denied/i,
    code: "login_refused",
    reason: 'this account is not allowed to read the private key "{key}"',
    hint: "Make the account that runs image-transfer the owner of that file (`chown`), with mode 600.",
  },
  {
    pattern:
      /Permission denied(, please try again| \([a-z, -]*\))|Too many authentication failures|No supported authentication methods|Authentication failed|account has expired|password has expired|Password change required|sign_and_send_pubkey: (signing failed|no mutual)/i,
    code: "login_refused",
    reason: "the login{who} was refused",
    hint:
      "Check remote_user. Put the public key of the account that runs image-transfer into ~/.ssh/authorized_keys there; a key with a passphrase needs an agent. Test with `{test}`.",
  },
  {
    pattern:
      /Bad owner or permissions on|Bad configuration option|terminating, \d+ bad configuration|Can't open user config file|keyword \S+ extra arguments|too long for Unix domain socket/i,
    code: "configuration",
    next: "hold",
    reason: "the ssh configuration of this account cannot be used",
    hint: "Correct the file that the message names, then test with `{test}`.",
  },
  {
    pattern: /Unable to negotiate|no matching .* found|no common .*algorithm|Protocol major versions differ/i,
    code: "unreachable",
    next: "hold",
    reason: "the two sides have no cipher, key exchange or key type in common",
    hint: "Update the older side, or allow the algorithm that the message names for this host in your ssh_config.",
  },
  {
    pattern: /Could not resolve hostname|Name or service not known|nodename nor servname/i,
    code: "unreachable",
    reason: "unknown host name",
    hint: `Check remote_host, and that this computer can look up names. ${SELF}`,
  },
  {
    pattern: /timed out during banner exchange/i,
    code: "unreachable",
    reason: "the ssh server did not respond within {seconds} s",
    hint: `Check remote_port: something listens there, but it is not an ssh server, or it is overloaded. ${SELF}`,
  },
  {
    pattern:
      /Not allowed at this time|Exceeded MaxStartups|kex_exchange_identification|ssh_exchange_identification|banner exchange/i,
    code: "unreachable",
    reason: "the server closed the connection before the login",
    hint:
      `It may be overloaded or starting, or have blocked this computer for a while (MaxStartups, PerSourcePenalties, fail2ban). ${SELF}`,
  },
  {
    pattern: /Connection refused/i,
    code: "unreachable",
    reason: "no ssh server is listening there",
    hint: `Check remote_host and remote_port, and that the ssh server is running. ${SELF}`,
  },
  {
    pattern: /Timeout, server .* not responding|Connection to .* timed out|keepalive/i,
    code: "timeout",
    reason: "the server is no longer responding",
    hint: SELF,
  },
  {
    pattern:
      /timed out|No route to host|Network is (unreachable|down)|Host is down|Destination Host Unreachable|Cannot assign requested address/i,
    code: "unreachable",
    reason: "the host is not responding",
    hint: `Check that it is running and that the network is up. ${SELF}`,
  },
  {
    pattern: /Received message too long/i,
    code: "tool_missing",
    reason: "the login shell there prints text where the SFTP server should answer",
    hint: SILENCE_STARTUP,
  },
  {
    pattern:
      /allows sftp connections only|account is currently not available|(shell|exec|subsystem) request failed|request failed on channel/i,
    code: "tool_missing",
    reason: "the server does not offer this service to the login",
    hint: "Without a shell use transfer_method sftp, without SFTP use rsync; auto chooses.",
  },
  {
    pattern: /Session open refused by peer|administratively prohibited|open failed|mux_client_\w+: .*(refused|failed)/i,
    code: "interrupted",
    reason: "the server refused one more session",
    hint: `Lower parallel_transfers, or raise MaxSessions there. ${SELF}`,
  },
  {
    pattern: /Corrupted MAC|message authentication code incorrect|Bad packet length/i,
    code: "interrupted",
    reason: "the connection delivered damaged data",
    hint: `If this happens often, test cables, switches and memory. ${SELF}`,
  },
  {
    pattern:
      /Connection closed|closed by remote host|closed by UNKNOWN|Connection reset|Broken pipe|client_loop|connection abort|lost connection|Connection to .* closed|Received disconnect|disconnected|mux_client_/i,
    code: "interrupted",
    reason: "the connection was lost",
    hint: SELF,
  },
];
