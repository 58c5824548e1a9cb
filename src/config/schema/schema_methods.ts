/**
 * The methods of transfer, each with the keys that it uses besides those of every destination. A new method is one entry in
 * {@linkcode METHOD_KEYS}; keys that it shares with others (host, user, port) are declared once.
 */
import type * as z from "zod";
import { bool, integer, oneOf, setting, type Shape, text, texts } from "./values.ts";

export const loginKeys = {
  remote_host: setting(text("a host name"), {
    name: "host",
    missing: "the computer to send images to (for a folder on this computer, set transfer_method: local)",
    description: "The computer to send images to: a name, an address, or an alias from your ssh configuration",
    examples: ["freya"],
  }),
  remote_user: setting(text("a user name").optional(), {
    name: "user",
    description: "The user to log in as. If not set: as in your ssh configuration; with ftp and ftps, anonymous",
    examples: ["observer"],
  }),
  remote_port: setting(integer(1, 65535).optional(), {
    name: "port",
    description: "Port of the server. If not set: as in your ssh configuration; with ftp and ftps, 21, or 990 for implicit TLS",
    examples: [22],
  }),
};

export const sshKeys = {
  ...loginKeys,
  compression: bool().prefault(false).describe(
    "Compress data during transfer. FITS files hardly shrink, so this mostly costs time",
  ),
};

export const rsyncKeys = {
  ...sshKeys,
  rsync_options: texts("options, like [--compress-level=1]").prefault([])
    .describe("Further options for rsync; unsafe ones are rejected"),
};

const ftpKeys = {
  ...loginKeys,
  password: setting(text("a password").optional(), {
    kind: "secret",
    description:
      "Password for ftp and ftps; `$NAME` takes it from the environment. A file with a password in it should have mode 0600",
    examples: ["secret"],
    writeOnly: true,
  }),
  password_file: setting(text("a file").optional(), {
    kind: "path",
    description: "For ftp and ftps: a file that contains the password, with mode 0600",
    examples: ["~/.config/image-transfer/ftp-password"],
  }),
};

const ftpsKeys = {
  ...ftpKeys,
  tls_mode: oneOf(["explicit", "implicit"]).prefault("explicit").describe(
    "For ftps: `explicit` starts TLS with AUTH TLS (port 21); `implicit` is TLS from the first byte (port 990)",
  ),
  tls_ca: setting(text("a file").optional(), {
    kind: "path",
    description: "For ftps: a file with the certificates to trust, in PEM form. If not set: those that this computer trusts",
    examples: ["/etc/ssl/observatory.pem"],
  }),
};

/** What rclone uses; the accounts themselves are in its own configuration. */
const rcloneKeys = {
  remote: setting(text("the name of a remote"), {
    missing: "the name of an rclone remote, or write it into remote_base_path, like s3remote:bucket/images",
    description:
      "With `rclone`: the name of the remote, as `rclone listremotes` shows it. It may also be written into `remote_base_path`, like `s3remote:bucket/images`",
    examples: ["s3remote"],
  }),
  rclone_config: setting(text("a file").optional(), {
    kind: "path",
    description: "Configuration file of rclone. If not set: the one that `rclone config file` shows",
    examples: ["~/.config/rclone/rclone.conf"],
  }),
};

/** Each method with its own keys. `auto` has those of all methods that it may choose. */
export const METHOD_KEYS = {
  auto: rsyncKeys,
  rsync: rsyncKeys,
  tar: sshKeys,
  scp: sshKeys,
  sftp: sshKeys,
  ftp: ftpKeys,
  ftps: ftpsKeys,
  local: {},
  rclone: rcloneKeys,
} as const satisfies Readonly<Record<string, Shape>>;

/** The methods whose base path is a folder of this computer: it is resolved, watched for loops and permitted like one. */
export const ON_THIS_COMPUTER: ReadonlySet<string> = new Set<keyof typeof METHOD_KEYS>(["local"]);

/** The methods whose sessions cannot `remove`: `delete_destination_files` is refused with them. */
export const CANNOT_REMOVE: ReadonlySet<string> = new Set<keyof typeof METHOD_KEYS>([]);

/** The methods that send files while they grow; `auto` may choose one of them. */
export const SENDS_GROWING: ReadonlySet<string> = new Set<keyof typeof METHOD_KEYS>(["auto", "local", "rsync", "sftp", "tar"]);

/** The name of a method, or `auto`, which chooses one when a session opens. */
export type MethodName = keyof typeof METHOD_KEYS;

/** The names, as `transfer_method` lists them. */
export const METHOD_NAMES = Object.keys(METHOD_KEYS) as MethodName[];

/** The keys of all methods together, but those of the account. */
export const methodKeys: Shape = Object.fromEntries(
  Object.values(METHOD_KEYS).flatMap(Object.entries<z.ZodType>).filter(([key]) => !(key in loginKeys)),
);
