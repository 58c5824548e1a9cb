/**
 * The methods of transfer, each with the keys that it uses besides those of every destination. A new method is one entry in
 * {@linkcode METHOD_KEYS}; keys that it shares with others (host, user, port) are declared once.
 *
 * @module
 */
import type * as z from "zod";
import { setting, type Shape } from "./settings_of.ts";
import { bool, integer, text, texts } from "./values.ts";

/** The account that is logged in to. */
export const loginKeys = {
  remote_host: setting(text("a host name"), {
    name: "host",
    missing: "the computer to send images to (for a folder on this computer, set transfer_method: local)",
    description: "The computer to send images to: a name, an address, or an alias from your ssh configuration",
    examples: ["freya"],
  }),
  remote_user: setting(text("a user name").optional(), {
    name: "user",
    description: "The user to log in as. If not set: as in your ssh configuration",
    examples: ["observer"],
  }),
  remote_port: setting(integer(1, 65535).optional(), {
    name: "port",
    description: "Port of the ssh server. If not set: as in your ssh configuration",
    examples: [22],
  }),
};

/** What all methods over ssh use. */
export const sshKeys = {
  ...loginKeys,
  compression: bool().prefault(false).meta({
    description: "Compress data during transfer. FITS files hardly shrink, so this mostly costs time",
  }),
};

/** What rsync uses. */
export const rsyncKeys = {
  ...sshKeys,
  rsync_options: texts("options, like [--compress-level=1]").prefault([])
    .meta({ description: "Further options for rsync; unsafe ones are rejected" }),
};

/** Each method with its own keys. `auto` has those of all methods that it may choose. */
export const METHOD_KEYS = {
  auto: rsyncKeys,
  rsync: rsyncKeys,
  tar: sshKeys,
  scp: sshKeys,
  sftp: sshKeys,
  local: {},
} as const satisfies Readonly<Record<string, Shape>>;

/** The methods whose base path is a folder of this computer: it is resolved, watched for loops and permitted like one. */
export const ON_THIS_COMPUTER: ReadonlySet<string> = new Set<keyof typeof METHOD_KEYS>(["local"]);

/** The methods whose sessions cannot `remove`: `delete_destination_files` is refused with them. */
export const CANNOT_REMOVE: ReadonlySet<string> = new Set<keyof typeof METHOD_KEYS>([]);

/** The name of a method, or `auto`, which chooses one when a session opens. */
export type MethodName = keyof typeof METHOD_KEYS;

/** The names, as `transfer_method` lists them. */
export const METHOD_NAMES = Object.keys(METHOD_KEYS) as MethodName[];

/** The keys of all methods together, but those of the account. */
export const methodKeys: Shape = Object.fromEntries(
  Object.values(METHOD_KEYS).flatMap(Object.entries<z.ZodType>).filter(([key]) => !(key in loginKeys)),
);
