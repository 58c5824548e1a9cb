/**
 * The explicit list of methods, each loaded when a destination needs it: a daemon keeps none that its configuration does not name.
 * How to add one: src/README.md.
 */
import type { MethodName } from "../config/settings.ts";
import type { Connector } from "./method.ts";

/** All methods: one for each name that `config/schema/schema_methods.ts` has. */
const METHODS: { readonly [M in MethodName]: () => Promise<Connector<M>> } = {
  auto: async () => (await import("./auto.ts")).auto,
  rsync: async () => (await import("./rsync/rsync.ts")).rsync,
  tar: async () => (await import("./tar/tar.ts")).tar,
  scp: async () => (await import("./scp/scp.ts")).scp,
  sftp: async () => (await import("./sftp/sftp.ts")).sftp,
  ftp: async () => (await import("./ftp/ftp.ts")).ftp,
  ftps: async () => (await import("./ftp/ftp.ts")).ftps,
  local: async () => (await import("./local/local.ts")).local,
  rclone: async () => (await import("./rclone/rclone.ts")).rclone,
};

export async function methodNamed(name: MethodName): Promise<Connector> {
  return await METHODS[name]();
}
