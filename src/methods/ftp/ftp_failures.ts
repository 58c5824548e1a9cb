/**
 * What curl's exit codes and a server's replies mean: the one table from them to a Failure that says what to do.
 *
 * @module
 */
import { Failure, type FailureCode, type NextStep } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import { meaningOf } from "../ssh/error_texts.ts";
import { type Ended, type Exchange, GREETING, isYes, lastReply, type Reply } from "./dialogue.ts";

/** What is needed of a destination to explain a failure. */
export interface Reached {
  readonly name: string;
  readonly transport: {
    readonly method: string;
    readonly host: string;
    readonly port: number | null;
    readonly tlsMode?: "explicit" | "implicit";
  };
}

interface Meaning {
  readonly code: FailureCode;
  readonly next?: NextStep;
  readonly reason: string;
  readonly hint: string;
}

const SELF = "It is retried automatically.";
const CERTIFICATE =
  "Check that remote_host is the name in the certificate, and the clocks. For a certificate of your own, set tls_ca to a file with it (or with the authority that signed it).";
const PASSIVE =
  "A firewall there probably blocks the ports for data: open the server's passive ports (pasv_min_port to pasv_max_port, PassivePorts…), and let it announce an address that can be reached from here.";

/** The exit codes of curl that concern the connection, and so all files (curl(1), EXIT CODES). */
const EXITS: Readonly<Record<number, Meaning>> = {
  2: {
    code: "tool_missing",
    reason: "curl does not know an option that is needed",
    hint: "Install a current curl.",
  },
  5: { code: "unreachable", reason: "a proxy cannot be found", hint: SELF },
  6: {
    code: "unreachable",
    reason: "unknown host name",
    hint: `Check remote_host, and that this computer can look up names. ${SELF}`,
  },
  7: {
    code: "unreachable",
    reason: "no FTP server is listening there",
    hint: `Check remote_host and remote_port, and that the server is running. ${SELF}`,
  },
  8: {
    code: "unreachable",
    reason: "it does not answer like an FTP server",
    hint: `Check remote_port. An implicit TLS port (990) needs transfer_method: ftps with tls_mode: implicit. ${SELF}`,
  },
  27: { code: "internal", reason: "curl had no memory", hint: SELF },
  28: {
    code: "unreachable",
    reason: "the host is not responding",
    hint: `Check that it is running and that the network is up. ${SELF}`,
  },
  35: {
    code: "unreachable",
    next: "hold",
    reason: "TLS could not be started",
    hint:
      "Check tls_mode: explicit is for port 21, implicit for port 990. An old server may only have TLS versions that are not safe any more.",
  },
  51: { code: "certificate_refused", reason: "its certificate is not for this host", hint: CERTIFICATE },
  60: { code: "certificate_refused", reason: "its certificate cannot be trusted", hint: CERTIFICATE },
  64: {
    code: "configuration",
    next: "hold",
    reason: "the server does not offer TLS",
    hint:
      "Switch on TLS at the server, or, in a network that you trust, set transfer_method: ftp: it sends the password in clear.",
  },
  67: {
    code: "login_refused",
    reason: "the login was refused",
    hint: "Check remote_user and password (or password_file), and that the account may use FTP there.",
  },
  77: {
    code: "configuration",
    next: "hold",
    reason: "the certificates of tls_ca cannot be read",
    hint: "Check that tls_ca is a file with certificates in PEM form, which this account may read.",
  },
};

/** Replies that concern the connection whenever they come. */
const REPLIES: Readonly<Record<number, Meaning>> = {
  421: {
    code: "unreachable",
    reason: "the server takes no connection at the moment",
    hint:
      `It may have too many, or be closing: lower parallel_transfers, or raise its limits (max_clients, max_per_ip…). ${SELF}`,
  },
  425: { code: "unreachable", reason: "the server cannot open a connection for data", hint: PASSIVE },
  426: { code: "interrupted", reason: "the connection for data was lost", hint: SELF },
  522: {
    code: "interrupted",
    reason: "the server does not find the TLS session that it asks for again",
    hint:
      "That works with TLS 1.2 only: allow it there, with ciphers for the kind of its certificate (vsftpd: ssl_ciphers), or set require_ssl_reuse=NO. " +
      SELF,
  },
};

const TLS_NEEDED =
  /must use encryption|use (explicit |implicit )?(ftps|tls|ssl)|(ssl|tls)(\/(ssl|tls))? (is )?required|cleartext sessions|AUTH (TLS|SSL) first/i;
const BUSY = /too many|maximum|limit|try again|temporar/i;

/** Why a transfer ended, where that concerns all files; null where it is the file's own. */
export function connectionFailure(ended: Ended, reached: Reached): Failure | null {
  const meaning = connectionMeaning(ended, reached);
  if (meaning === null) return null;
  const said = saidBy(ended);
  return new Failure(meaning.code, `Cannot use ${hostNamed(reached)}: ${meaning.reason}${said === "" ? "" : ` (${said})`}`, {
    hint: meaning.hint,
    ...(meaning.next ? { next: meaning.next } : {}),
  });
}

function connectionMeaning(ended: Ended, reached: Reached): Meaning | null {
  if (ended.exit === 0) return null;
  const { exchanges, exit } = ended;
  const told = exchanges.flatMap(({ replies }) => replies);
  const text = told.filter(({ code }) => code >= 400).flatMap(({ lines }) => lines).join("\n");
  if (TLS_NEEDED.test(text) && reached.transport.method === "ftp") {
    return {
      code: "configuration",
      next: "hold",
      reason: "the server takes logins over TLS only",
      hint: "Set transfer_method: ftps.",
    };
  }
  const last = lastReply(ended);
  if (last && REPLIES[last.code]) return REPLIES[last.code]!;
  const login = exchanges.find(({ command }) => /^(USER|PASS) /.test(command) || command === "PASS");
  const refused = login?.replies.some(({ code }) => code >= 400);
  if (exit === 67 || refused) {
    // "Too many users" is said with the same number as a wrong password.
    return BUSY.test(text) ? REPLIES[421]! : EXITS[67]!;
  }
  if (dataConnectionOf(exchanges) !== null && [7, 28, 13, 14, 15, 30].includes(exit)) {
    return { code: "unreachable", reason: "the connection for data cannot be made", hint: PASSIVE };
  }
  // Once someone has answered, a silence is an interruption.
  if (exchanges.some(({ command, replies }) => command !== GREETING && replies.length > 0)) {
    if ([18, 52, 55, 56, 8, 16, 43].includes(exit) && (last === null || isYes(last))) return INTERRUPTED;
    if (exit === 28) return { code: "timeout", reason: "the server is no longer responding", hint: SELF };
    if (exit === 12) return { code: "unreachable", reason: "the connection for data cannot be made", hint: PASSIVE };
  } else if (exit === 28 && exchanges.some(({ command }) => command === GREETING)) {
    return EXITS[8]!;
  } else if (exit === 56 || exit === 52 || exit === 55) return INTERRUPTED;
  return EXITS[exit] ?? null;
}

/** The server takes no more connections: it says so to the login. */
export function refusesMore({ exit, exchanges }: Ended): boolean {
  if (exit === 0 || !exchanges.every(({ command }) => command === GREETING || /^(AUTH|USER|PASS)\b/.test(command))) return false;
  const reply = lastReply({ exchanges });
  return reply !== null && (reply.code === 421 || (reply.code >= 400 && BUSY.test(reply.lines.join("\n"))));
}

const INTERRUPTED: Meaning = { code: "interrupted", reason: "the connection was lost", hint: SELF };

/**
 * The exchange that asked for a connection for data, where nothing came after it. Curl asks a second time where TLS fails on it; what is
 * then answered may be why a server has refused the file and closed the first.
 */
function dataConnectionOf(exchanges: readonly Exchange[]): Exchange | null {
  const [before, last] = exchanges.slice(-2);
  if (last === undefined || !/^(EPSV|PASV|EPRT|PORT)\b/.test(last.command)) return null;
  const answersBefore = before !== undefined && /^(STOR|APPE|RETR) /.test(before.command) && before.replies.length === 0 &&
    last.replies.some(({ code }) => code >= 400);
  return answersBefore ? null : last;
}

/** What a reply means that refuses something below the base path; null where it says nothing that is known. */
export function meaningOfReply(reply: Reply | null): Meaning | null {
  if (reply === null) return null;
  const text = reply.lines.join("\n");
  // So proftpd says that nothing more could be written.
  if (reply.code === 451 && /input\/output error/i.test(text)) {
    return { ...FULL, hint: `${FULL.hint} If there is room, check the disk.` };
  }
  const told = meaningOf(text);
  if (told) return told;
  if (reply.code === 452 || reply.code === 552) return FULL;
  if (/failure writing to local file|error during write|write error|insufficient|storage/i.test(text)) return FULL;
  if ((reply.code === 550 || reply.code === 553) && /name/i.test(text) && /invalid|illegal|not allowed|prohibited/i.test(text)) {
    return REFUSED_NAME;
  }
  return null;
}

const FULL: Meaning = {
  code: "disk_full",
  reason: "the disk or the quota there seems to be full",
  hint: "Free some space there; delivery resumes automatically.",
};
const REFUSED_NAME: Meaning = {
  code: "name_refused",
  reason: "the server does not allow this name",
  hint: "Rename the file, or change the layout.",
};

/** What the server refused; `what` completes the sentence `Cannot …`. */
export function refused(what: string, reply: Reply | null, exit = 0, error = ""): Failure {
  const meaning = meaningOfReply(reply);
  const said = reply === null ? printable(error) || `curl's exit code ${exit}` : replyText(reply);
  return new Failure(
    meaning?.code ?? "permission_denied",
    `Cannot ${what}: ${meaning?.reason ?? "the server refuses it"} (${said})`,
    {
      hint: meaning?.hint ?? "Check the permissions of the account there, and that the disk there is not full or read-only.",
    },
  );
}

/** A reply in the server's words. */
export function replyText({ code, lines }: Reply): string {
  return printable(`${code} ${lines.at(-1) ?? ""}`).trim().slice(0, 300);
}

function saidBy(ended: Ended): string {
  const last = lastReply(ended);
  if (last !== null && !isYes(last)) return replyText(last);
  return printable(ended.error).slice(0, 300);
}

/** The host as messages call it. */
function hostNamed({ transport: { host } }: Reached): string {
  return printable(host);
}
