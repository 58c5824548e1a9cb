/**
 * The keys of a job: what is watched, and when a file is finished. Each may stand in a job, or at the top as
 * the default of all jobs.
 *
 * @module
 */
import * as z from "zod";
import { isTimeZone, rolloverMinutes } from "../../domain/night/night.ts";
import { amount, duration, line, lines, oneOf, truth } from "./values.ts";

const DAY = 86_400_000;

/** Which folder is watched, and how. */
export const watchKeys = {
  watch_path: line("a folder").optional().meta({
    description:
      "The folder that the camera writes to. It is watched with all that is in it. `NIGHT` in it stands for the folder of a night, YYYYMMDD",
    examples: ["~/images"],
  }),
  file_patterns: lines('patterns, like ["*.fits", "*.fit"]').min(1, "must name at least one pattern")
    .prefault(["*.fits", "*.fit", "*.fts", "*.fz", "*.fits.gz"])
    .meta({
      description:
        "Which files count, as globs. Upper and lower case do not matter. Without a `/` the name is compared, else the path below `watch_path`",
    }),
  exclude_patterns: lines('patterns, like ["*.tmp"]').prefault([])
    .meta({ description: "Which of them do not count after all" }),
  recursive: truth().prefault(true).meta({ description: "Watch the folders below as well" }),
  ignore_hidden_files: truth().prefault(true).meta({ description: "Leave out names that begin with a dot" }),
  watch_mode: oneOf(["auto", "events", "poll"]).prefault("auto").meta({
    description:
      "`events`: the system tells of changes; `poll`: the folder is listed again and again, for network drives; `auto` finds out",
  }),
  watch_events: z.array(oneOf(["create", "write", "remove", "rename", "chmod"]), "must be a list of events")
    .prefault(["create", "write", "remove", "rename"])
    .meta({
      description: "Which changes are logged and reach hooks. `chmod` is accepted; rights that change alone are not told",
    }),
  debounce_ms: duration("milliseconds", 0, 60_000).prefault(1000)
    .meta({ description: "How long changes of one file are gathered before they are told, in milliseconds" }),
  rescan_interval: duration("seconds", 1000, 7 * DAY).prefault("5m")
    .meta({
      description:
        "How often everything is listed again, whatever the system told; up to three times as long where a listing takes more than a thousandth of that. When polling: the pause between two listings, at most 10 s",
    }),
};

/** When a file is finished. */
export const finishedKeys = {
  completeness: oneOf(["auto", "quiet", "marker"]).prefault("auto").meta({
    description:
      "`auto`: by open writers and the length that the file itself declares; `quiet`: by `min_file_age_seconds` alone; `marker`: when the file named by `marker` appears",
  }),
  marker: line("a name like {name}.done").refine((text) => text.includes("{name}") && !/[/\\]/.test(text), {
    message: "must be a name like {name}.done, with {name} in it and no folder",
  }).prefault("{name}.done").meta({
    description: "With `completeness: marker`: the file beside the image that says it is finished",
  }),
  min_file_age_seconds: duration("seconds", 0, DAY).prefault(2)
    .meta({ description: "How long a file must rest unchanged where its length does not tell that it is finished" }),
  incomplete_after: duration("seconds", 1000, 30 * DAY).prefault("10m")
    .meta({ description: "A FITS file that is shorter than its headers declare for so long is listed as incomplete" }),
  deliver_incomplete: truth().prefault(false).meta({
    description: "Deliver such a file all the same, with a warning",
  }),
  verify_source: z.union([truth(), oneOf(["warn", "refuse"])], "must be warn, refuse, true or false")
    .transform((value) => value === true ? "warn" : value).prefault("warn").meta({
      description:
        "A file that is damaged or was edited, as its DATASUM, CHECKSUM or gzip CRC tells: `warn` (or true) sends it as it is, with a warning; `refuse` holds it back; `false` does not check",
    }),
  growing_files: z.union([
    z.literal(false),
    z.literal(true),
    z.strictObject({
      min_size_mb: amount(0, 1e9).prefault(100).meta({ description: "From this size on, in MB" }),
      safety_margin_mb: amount(0, 1e9).prefault(50).meta({ description: "How far the copy stays behind the writer, in MB" }),
      growth_timeout_seconds: duration("seconds", 1000, DAY).prefault(30).meta({
        description: "Without growth for so long the file is finished",
      }),
    }),
  ], "must be false, true or a section").prefault(false).meta({ description: "Copy large files while they are still written" }),
  delete_source: truth().prefault(false).meta({ description: "Remove a file here once it is proven at all its destinations" }),
};

/** Which night a file belongs to. */
export const nightKeys = {
  night_timezone: line("a time zone, like Europe/Berlin").refine(isTimeZone, {
    message: "must be a time zone, like Europe/Berlin",
  })
    .optional().meta({
      description: "Time zone of the observing night. Not set: the computer's own",
      examples: ["Europe/Berlin"],
    }),
  night_rollover: line("a time of day, like 12:00").refine((text) => rolloverMinutes(text) !== null, {
    message: "must be a time of day, like 12:00",
  }).prefault("12:00").meta({ description: "When a new night begins, local time" }),
  site_longitude: amount(-180, 360).optional()
    .meta({
      description: "Degrees, east positive. When set, the night follows the sun there instead of the time zone",
      examples: [-70.4],
    }),
};

/** When to send, and what else to do. */
export const reactionKeys = {
  schedule: z.union([
    oneOf(["continuous", "none", "manual"]),
    z.strictObject({
      interval: duration("seconds", 1000, 30 * DAY).optional().meta({ description: "Every so often, like `5m` or `1h`" }),
      interval_hours: amount(0.01, 720).optional().meta({ description: "The same in hours" }),
      cron: line("five or six cron fields").optional().meta({ description: "At these times, five or six fields" }),
    }),
  ], 'must be "continuous", "manual" or a section').prefault("continuous")
    .meta({ description: "When files are sent. `continuous`: as soon as they are finished" }),
  cooldown_seconds: duration("seconds", 0, DAY).prefault(0).meta({ description: "Pause after each round of sending" }),
  hooks: z.array(
    z.strictObject({
      on: z.array(
        oneOf(["created", "changed", "removed", "ready", "delivered", "failed", "scheduled"]),
        "must be a list of events",
      )
        .meta({ description: "The events it is called for" }),
      command: lines("words: the program and its arguments").optional()
        .meta({ description: "Program and arguments, with placeholders like `{path}`" }),
      url: z.url("must be a URL").optional().meta({ description: "Or a webhook that is posted to" }),
      secret: line("a secret").optional().meta({ description: "Signs the webhook", writeOnly: true }),
      timeout_seconds: duration("seconds", 100, DAY).prefault(60).meta({ description: "Ended after so long" }),
    }),
    "must be a list of hooks",
  ).prefault([]).meta({ description: "Programs or webhooks called on events" }),
};

/** All keys of a job, in the order of the sample file. */
export const jobShape = { ...watchKeys, ...finishedKeys, ...nightKeys, ...reactionKeys };
