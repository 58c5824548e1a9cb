/**
 * What curl is told, as its configuration file: it is written to curl's standard input, so that no password is ever an argument.
 */
import { bracketed } from "../../domain/names/printable.ts";

/** The account, and how it is reached. */
export interface FtpLogin {
  readonly host: string;
  /** Null is the port that the protocol has. */
  readonly port: number | null;
  /** Null is `anonymous`. */
  readonly user: string | null;
  readonly password: string;
  /** Null sends everything in clear. */
  readonly tls: FtpTls | null;
  /** For Windows: its own certificate store is asked whether certificates were revoked, which nobody answers for a private one. */
  readonly windows: boolean;
}

/** How a connection is made safe. */
interface FtpTls {
  readonly mode: "explicit" | "implicit";
  /** A file with certificates; null are those of the system. */
  readonly ca: string | null;
  /**
   * TLS 1.2 and nothing newer. With 1.3 a server sends tickets while it receives a file; many a curl closes the connection without reading
   * them, which resets it, and the server loses the end of the file ("426 Failure reading network stream"). And vsftpd, which asks for
   * the session of the first connection again, does not know every ticket that it gave.
   */
  readonly only12: boolean;
}

/**
 * One thing that curl does. `commands` are sent before it, and a refusal of them is only noted. Every path of the server is
 * absolute; `from` is a file of this computer, of which the first `skip` bytes are there already.
 */
export type Transfer =
  & { readonly commands: readonly string[] }
  & (
    | { readonly kind: "commands" }
    | { readonly kind: "send"; readonly from: string; readonly to: string; readonly skip: number }
    /** Its content is printed. */
    | { readonly kind: "fetch"; readonly path: string }
    /** `request` is the command that lists: `MLSD`, `NLST -a`, … */
    | { readonly kind: "list"; readonly path: string; readonly request: string }
  );

/** How all transfers of a run are done. */
interface RunOptions {
  /** A line that begins so follows each transfer; nothing else can: it is random. */
  readonly mark: string;
  /** Curl tells how far it is. */
  readonly progress: boolean;
  readonly connectSeconds: number;
  /** For files that are sent, and for those that are fetched; null is no limit. */
  readonly bytesPerSecond: number | null;
  readonly fetchedPerSecond: number | null;
}

/**
 * All transfers of one run, over one connection; the first that fails ends it.
 */
export function curlConfig(login: FtpLogin, transfers: readonly Transfer[], options: RunOptions): string {
  const common = commonLines(login, options);
  return transfers.map((transfer, index) =>
    [
      // The dialogue is on standard error, the content of files on standard output. Opened by this name it is written in blocks, not in words.
      ...(index > 0 || login.windows ? [] : [line("stderr", "/dev/stderr")]),
      ...common,
      ...commandsOf(transfer).map((command) => line("quote", `*${command}`)),
      ...transferLines(login, transfer, options),
      "",
    ].join("\n")
  ).join("next\n");
}

/**
 * What a transfer begins with. There is always something: curl 7.88 waits a second for nothing where the answer to `EPSV` comes at once and
 * nothing was asked before it.
 */
export function commandsOf({ commands }: Transfer): readonly string[] {
  return commands.length > 0 ? commands : ["NOOP"];
}

function commonLines({ user, password, tls, windows }: FtpLogin, options: RunOptions): string[] {
  return [
    line("user", `${user ?? "anonymous"}:${password}`),
    ...(tls?.mode === "explicit" ? ["ssl-reqd"] : []),
    ...(tls !== null && tls.ca !== null ? [line("cacert", tls.ca)] : []),
    ...(tls?.only12 ? ["tlsv1.2", line("tls-max", "1.2")] : []),
    ...(tls !== null && windows ? ["ssl-revoke-best-effort"] : []),
    // A proxy for web pages cannot send files by FTP.
    line("noproxy", "*"),
    "globoff",
    line("ftp-method", "nocwd"),
    // Servers that do not tell sizes, or wrong ones, are read to the end all the same.
    "ignore-content-length",
    line("connect-timeout", String(options.connectSeconds)),
    line("keepalive-time", "15"),
    "fail-early",
    ...(options.progress ? [] : ["silent"]),
    "verbose",
    line("write-out", `\n${options.mark} %{exitcode} %{errormsg}\n`),
  ];
}

function transferLines(login: FtpLogin, transfer: Transfer, { bytesPerSecond, fetchedPerSecond }: RunOptions): string[] {
  switch (transfer.kind) {
    case "commands":
      return [line("url", urlOf(login, "/")), "head"];
    case "send":
      return [
        line("url", urlOf(login, transfer.to)),
        line("upload-file", transfer.from),
        ...limit(bytesPerSecond),
        ...(transfer.skip === 0 ? [] : [line("continue-at", String(transfer.skip))]),
      ];
    case "fetch":
      return [line("url", urlOf(login, transfer.path)), ...limit(fetchedPerSecond)];
    case "list":
      return [line("url", urlOf(login, `${transfer.path}/`)), line("request", transfer.request)];
  }
  transfer satisfies never;
}

function limit(bytesPerSecond: number | null): string[] {
  return bytesPerSecond === null ? [] : [line("limit-rate", String(bytesPerSecond))];
}

/** The address of an absolute path: `%2F` for its first slash, as a plain one would begin at the home folder. */
function urlOf({ host, port, tls }: FtpLogin, path: string): string {
  const place = `${bracketed(host)}${port === null ? "" : `:${port}`}`;
  const encoded = (name: string) =>
    encodeURIComponent(name).replace(/[!'()*.~]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
  const parts = path.replace(/^\//, "").split("/").map(encoded);
  return `${tls?.mode === "implicit" ? "ftps" : "ftp"}://${place}/%2F${parts.join("/")}`;
}

/** A line of the file: between quotes a backslash and a quote have one before them, and control characters their letters. */
function line(option: string, value: string): string {
  const quoted = value.replace(/[\\"\n\r\t\v]/g, (character) => ESCAPED[character]!);
  return `${option} = "${quoted}"`;
}

const ESCAPED: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  '"': '\\"',
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
};
