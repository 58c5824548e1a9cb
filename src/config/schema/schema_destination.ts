/**
 * The keys of a destination: where files go, how they are carried and proven. Each may stand in a destination,
 * in its job, or at the top as the default of all.
 *
 * @module
 */
import * as z from "zod";
import { checkLayout } from "../../domain/names/layout.ts";
import { amount, duration, line, lines, mode, oneOf, speed, truth, whole } from "./values.ts";

const DAY = 86_400_000;

/** Where files go. */
export const addressKeys = {
  remote_host: line("a host name").optional().meta({
    description: "The computer that the images go to: a name, an address, or an alias of your ssh configuration",
    examples: ["freya"],
  }),
  remote_user: line("a user name").optional().meta({
    description: "The user there. Not set: as your ssh configuration says",
    examples: ["observer"],
  }),
  remote_base_path: line("a folder").optional().meta({
    description: "The folder there under which everything goes. `NIGHT` in it is the observing night, YYYYMMDD",
    examples: ["/home/observer/data/images"],
  }),
  remote_port: whole(1, 65535).optional().meta({
    description: "Port of its ssh server. Not set: as your ssh configuration says",
    examples: [22],
  }),
  transfer_method: oneOf(["auto", "rsync", "scp", "sftp", "local"]).prefault("auto").meta({
    description:
      "`auto`: rsync when both ends have a fit one, else sftp, else scp; local for `localhost` without a user. `local`: a folder of this computer, a mounted drive",
  }),
  layout: line("a path with {path} in it").check((context) => {
    const fault = checkLayout(context.value);
    if (fault !== null) context.issues.push({ code: "custom", message: fault, input: context.value });
  })
    .prefault("{path}")
    .meta({
      description:
        "Where a file goes below `remote_base_path`: `{path}` is its path below `watch_path` (`{folder}` and `{name}` its halves, `{stem}` and `{ext}` those of the name), `{night}` the observing night, YYYYMMDD, `{job}` the job",
    }),
};

/** How files are carried. */
export const carryKeys = {
  compression: truth().prefault(false).meta({
    description: "Compress on the way. FITS files hardly shrink, so it mostly costs time",
  }),
  rsync_options: lines("options, like [--compress-level=1]").prefault([])
    .meta({ description: "Further options for rsync, of those that break no promise" }),
  transfer_timeout_seconds: duration("seconds", 1000, DAY).prefault(300)
    .meta({ description: "A transfer without any progress for so long is ended and tried again" }),
  parallel_transfers: whole(1, 64).prefault(4).meta({ description: "How many files are under way at once to one destination" }),
  order: oneOf(["oldest_first", "newest_first"]).prefault("oldest_first").meta({
    description: "Which files go first when many wait",
  }),
  bandwidth_limit: speed().prefault(false)
    .meta({ description: "Most bytes per second, such as `10 MB/s` or `500k`; false means no limit" }),
};

/** How files are proven, and what happens when it fails. */
export const proofKeys = {
  verify_transfer: z.union([truth(), oneOf(["checksum", "size", "none"])], 'must be true, false, "checksum", "size" or "none"')
    .transform((value) => value === true ? "checksum" as const : value === false ? "none" as const : value)
    .prefault(true).meta({
      description:
        "How a file is proven at its destination. true is `checksum`, the SHA-256 of the bytes there; `size` compares lengths only; false is `none`",
    }),
  retry_attempts: whole(0, 1000).prefault(3)
    .meta({
      description: "How many tries a file gets before it is listed as failed. Outages of the destination do not count",
    }),
  retry_delay: duration("seconds", 0, DAY).prefault(5).meta({
    description: "Pause before the first further try, in seconds; it grows from try to try",
  }),
};

/** What stands at the destination. */
export const placeKeys = {
  on_conflict: oneOf(["version", "overwrite", "skip", "fail"]).prefault("version").meta({
    description:
      "When a different file has the name already. `version`: the newest has the plain name, the former becomes `name.v1.fits`",
  }),
  preserve_permissions: truth().prefault(true).meta({ description: "Keep the mode bits of the file" }),
  preserve_timestamps: truth().prefault(true).meta({ description: "Keep the time of the file" }),
  file_mode: mode().optional().meta({ description: "Mode bits of delivered files instead of their own", examples: ["0664"] }),
  directory_mode: mode().optional().meta({ description: "Mode bits of folders made at the destination", examples: ["0775"] }),
  minimum_free_space_gb: amount(0, 1e6).prefault(2).meta({
    description: "Free space that must remain there, in GB; with less, delivery waits and resumes automatically",
  }),
  copy_safety_margin_gb: amount(0, 1e6).prefault(1).meta({
    description: "Free space asked for beyond the size of a file while it is sent, in GB",
  }),
  delete_destination_files: truth().prefault(false).meta({ description: "Remove files there that were removed here" }),
  max_delete: whole(0, 1e9).prefault(100).meta({
    description: "The brake of `delete_destination_files`: with more at once it stops and asks",
  }),
};

/** All keys of a destination, in the order of the sample file. */
export const destinationShape = { ...addressKeys, ...carryKeys, ...proofKeys, ...placeKeys };
