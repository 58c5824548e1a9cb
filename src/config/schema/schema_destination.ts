/**
 * The keys of a destination: where files go, how they are transferred and verified. Each may be set in a destination, in its
 * job, or at the top as the default for all.
 */
import * as z from "zod";
import { AUDIT_PLAN, type AuditPlan } from "../../domain/audit.ts";
import { overlap, type Timetable } from "../../domain/schedule.ts";
import { checkLayout } from "../../domain/names/layout.ts";
import { rolloverMinutes } from "../../domain/night/night.ts";
import { loginKeys, METHOD_NAMES, methodKeys } from "./schema_methods.ts";
import {
  bool,
  duration,
  fail,
  gigabytes,
  integer,
  mode,
  oneOf,
  setting,
  type Shape,
  speed,
  SPEED_MESSAGE,
  text,
  timeOfDay,
  written,
} from "./values.ts";

const DAY = 86_400_000;

/** The method; what each of them uses besides is in `schema_methods.ts`. */
export const transferMethod = oneOf(METHOD_NAMES).prefault("auto").describe(
  "`auto`: tar if the far end has a shell and tar, else rsync if both ends have a compatible version, else sftp, else scp (rsync first if `rsync_options` are set, and on Windows; sftp before rsync with a `bandwidth_limit`); local for `localhost` without a user. `tar`: one stream over ssh, the fastest. `ftp`, `ftps`: for servers that have nothing else; files are read back to verify them unless the server hashes them. `local`: a folder on this computer, such as a mounted drive. `rclone`: everything that the program rclone can reach, such as S3",
);

const folderKeys = {
  remote_base_path: setting(text("a folder"), {
    name: "basePath",
    missing: "the folder under which files are stored",
    description: "The folder under which files are stored there. `NIGHT` in the path is the observing night, YYYYMMDD",
    examples: ["/home/observer/data/images"],
  }),
  layout: text("a path with {path} in it").check((context) => {
    const fault = checkLayout(context.value);
    if (fault !== null) context.issues.push({ code: "custom", message: fault, input: context.value });
  })
    .prefault("{path}")
    .describe(
      "Where a file is stored below `remote_base_path`. `{path}`: its path below `watch_path`, which consists of `{folder}` and `{name}`; `{stem}`, `{ext}`: the two parts of the name; `{night}`: the observing night, YYYYMMDD; `{job}`: the name of the job; `{header.OBJECT|unknown}`: a header card of a FITS or XISF file, and what to use for files without it",
    ),
};

type MaxDelete = { readonly files: number } | { readonly percent: number };

const timetableEntry = z.strictObject({
  from: timeOfDay("20:00").describe("When the limit begins"),
  to: timeOfDay("06:00").describe("When it ends; an earlier time than `from` is on the next day"),
  limit: speed().describe("Maximum bytes per second in that time"),
}, 'must be a section, like { from: "20:00", to: "06:00", limit: "2 MB/s" }');

/** Its time zone is that of the job. */
const timetable = z.array(timetableEntry, "must be a list").transform((written, context): Timetable => {
  if (context.issues.length > 0) return z.NEVER;
  const entries = written.map(({ from, to, limit }) => ({ from: rolloverMinutes(from)!, to: rolloverMinutes(to)!, limit }));
  const empty = entries.findIndex(({ from, to }) => from === to);
  if (empty >= 0) return fail(context, "must be another time than from", [empty, "to"]);
  const both = overlap(entries);
  if (both === null) return { timezone: null, entries };
  const [{ from, to } = {}, second] = both.map((index) => written[index]);
  return fail(context, `${second?.from} to ${second?.to} overlaps ${from} to ${to}`, [both[1]]);
});

const carryKeys = {
  transfer_timeout_seconds: setting(duration("seconds", 1000, DAY).prefault(300), {
    name: "timeoutMs",
    description: "Abort and retry a transfer that makes no progress for this long",
  }),
  parallel_transfers: integer(1, 64).prefault(4).describe(
    "How many batches are sent to one destination at the same time; a batch is one large file or many small ones",
  ),
  order: oneOf(["oldest_first", "newest_first"]).prefault("oldest_first").describe(
    "Which files to send first when many are waiting",
  ),
  bandwidth_limit: z.union([speed(), timetable], `${SPEED_MESSAGE}, a list of {from, to, limit} follows the time of day`)
    .prefault(false)
    .describe(
      'Maximum bytes per second, such as `10 MB/s` or `500k`; false means no limit. At a destination, it limits everything that all jobs send to it; at a job, it applies to each of its destinations. At the top, it limits the line of this computer, which all destinations except `local` ones share. Both apply together. A list sets limits for times of day, in `night_timezone`: `[{from: "20:00", to: "06:00", limit: "2 MB/s"}]`; at other times there is no limit. rsync, scp and ftp get their rate when they start, so a new limit, or a new share of it, applies from their next transfer; with a limit, `auto` prefers tar and sftp',
    ),
};

const PROOFS = ["checksum", "size", "none"] as const;
type Proof = (typeof PROOFS)[number];
const NO_PROOF = 'must be true, false, "checksum", "size" or "none"';
/** `mtime` of other programs. */
const TIMES_PROVE_NOTHING = "files with the same modification time may have different bytes; use checksum, or size";

const auditKeys = z.strictObject({
  every: duration("seconds", 1000, 3650 * DAY).prefault("30d").describe("Time from one audit to the next"),
  sample: written('must be a share of the delivered files from 0.01% to 100%, like "5%"', (value) => {
    const percent = typeof value === "string" ? Number(/^(\d{1,3}(?:\.\d+)?)\s?%$/.exec(value.trim())?.[1] ?? NaN) : NaN;
    return percent >= 0.01 && percent <= 100 ? percent / 100 : undefined;
  }).prefault("5%").describe(
    "Share of the delivered files that is hashed each time, starting with those not hashed for the longest",
  ),
  repair: bool().prefault(AUDIT_PLAN.repair).describe(
    "Send damaged and vanished files again if their source is still here and unchanged",
  ),
}, "must be a section").transform(({ every, sample, repair }): AuditPlan => ({ everyMs: every, share: sample, repair }));

/** How files are verified, and what happens when that fails. */
export const proofKeys = {
  verify_transfer: setting(
    z.union([bool(), z.string().meta({ enum: [...PROOFS] })], NO_PROOF).transform((value, context): Proof => {
      if (typeof value === "boolean") return value ? "checksum" : "none";
      const proof = PROOFS.find((word) => word === value.toLowerCase());
      if (proof !== undefined) return proof;
      return fail(context, /^(size_)?(m?time|mtime_size)/i.test(value) ? TIMES_PROVE_NOTHING : NO_PROOF);
    }).prefault(true),
    {
      name: "verify",
      aliases: ["verify", "comparison_method"],
      description:
        "How a delivered file is verified. true means `checksum`: its SHA-256 at the destination is compared; `size` compares only the length; false means `none`",
    },
  ),
  retry_attempts: integer(0, 1000).prefault(3)
    .describe("How many attempts a file gets before it is listed as failed. Outages of the destination do not count"),
  retry_delay: setting(duration("seconds", 0, DAY).prefault(5), {
    name: "retryDelayMs",
    description: "Pause before the first retry, in seconds; it grows with each retry",
  }),
  audit: z.union(
    [bool(), oneOf(["repair"]), auditKeys],
    'must be true, false, "repair" or a section, like {every: 30d, sample: 5%}',
  )
    .transform((value) => value === true ? AUDIT_PLAN : value === "repair" ? { ...AUDIT_PLAN, repair: true } : value || null)
    .prefault(false).describe(
      "Hash delivered files again at their destination, in turn, while nothing is being sent, and list those that are damaged or have vanished: `true` is `{every: 30d, sample: 5%}`; with `repair`, or `repair: true` in the section, they are sent again if their source is still here and unchanged. Files that may have been changed there on purpose are listed and left alone",
    ),
};

/** What files and folders are like at the destination. */
export const placeKeys = {
  on_conflict: oneOf(["version", "overwrite", "skip", "fail"]).prefault("version").describe(
    "What to do if a different file of that name exists. `version` keeps both: the newest gets the plain name, the previous one becomes `name.v1.fits`; with `delete_destination_files`, a version that was delivered goes where removed files go, see `keep_deleted`",
  ),
  preserve_permissions: bool().prefault(true).describe("Keep the permissions of the file"),
  preserve_timestamps: bool().prefault(true).describe("Keep the modification time of the file"),
  file_mode: mode().optional().meta({ description: "Permissions of delivered files, instead of their own", examples: ["0664"] }),
  directory_mode: mode().optional().meta({
    description: "Permissions of folders created at the destination",
    examples: ["0775"],
  }),
  follow_links: bool().prefault(false).describe(
    "Deliver through symlinked folders below `remote_base_path` even if they belong to another account. Links that belong to the account, to root or to the owner of `remote_base_path` are always followed",
  ),
  minimum_free_space_gb: setting(gigabytes(0, 1e6).prefault(2), {
    name: "minimumFreeBytes",
    description: "Free space that must remain at the destination, in GB; with less, delivery waits and resumes automatically",
  }),
  copy_safety_margin_gb: setting(gigabytes(0, 1e6).prefault(1), {
    name: "copySafetyMarginBytes",
    description: "Free space required in addition to the size of a file while it is sent, in GB",
  }),
  delete_destination_files: bool().prefault(false).describe(
    "Keep a mirror: remove delivered files from the destination when they are deleted here. Only files that image-transfer delivered and that were not changed there; `run --dry-run` lists them",
  ),
  max_delete: written('must be a number of files, or a share like "10%"', (value): MaxDelete | undefined => {
    if (typeof value === "number") return Number.isInteger(value) && value >= 0 && value <= 1e9 ? { files: value } : undefined;
    const percent = Number(/^(\d{1,3})\s?%$/.exec(value.trim())?.[1] ?? NaN);
    return percent <= 100 ? { percent } : undefined;
  }).prefault(50).describe(
    "Safety limit of `delete_destination_files`: before more files than this are removed within an hour, as a number or a share like `10%`, image-transfer stops and asks; `resume --accept` allows it. It also asks when nothing is left in `watch_path`, or when that is another folder than before",
  ),
  keep_deleted: setting(duration("seconds", 0, 3650 * DAY).prefault("7d"), {
    name: "keepDeletedMs",
    description:
      "How long files that `delete_destination_files` removes, and versions that newer ones replace there, are kept at the destination, in the folder `.image-transfer-trash` there; 0 removes them at once",
  }),
};

/** What every destination has, whatever its method. */
export const commonKeys = { ...folderKeys, ...carryKeys, ...proofKeys, ...placeKeys };

const { remote_base_path, layout } = folderKeys;

export const addressKeys: Shape = {
  remote_host: loginKeys.remote_host,
  remote_user: loginKeys.remote_user,
  remote_base_path,
  remote_port: loginKeys.remote_port,
  transfer_method: transferMethod,
  layout,
};

export const transferKeys: Shape = { ...methodKeys, ...carryKeys };

/** All keys of a destination, in the order of the sample file. */
export const destinationShape: Shape = { ...addressKeys, ...transferKeys, ...proofKeys, ...placeKeys };
