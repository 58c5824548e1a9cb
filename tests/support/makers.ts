/** Makes the plain data that tests of many rooms start from. */
import type { Destination, Job } from "../../src/config/settings.ts";

/** A destination whose options are the defaults, but for what a test folder needs: one transfer at a time, no space kept free. */
export function aDestination(changes: Partial<Destination> = {}): Destination {
  return {
    name: "nas",
    job: "spring",
    transport: { method: "local" },
    basePath: "/mnt/nas",
    timeoutMs: 300_000,
    verify: "checksum",
    retryAttempts: 3,
    retryDelayMs: 5000,
    audit: null,
    parallelTransfers: 1,
    order: "oldest_first",
    onConflict: "version",
    bandwidthLimit: null,
    lineLimit: null,
    preservePermissions: true,
    preserveTimestamps: true,
    fileMode: null,
    directoryMode: null,
    minimumFreeBytes: 0,
    copySafetyMarginBytes: 0,
    deleteDestinationFiles: false,
    maxDelete: { files: 50 },
    keepDeletedMs: 604_800_000,
    followLinks: false,
    layout: "{path}",
    ...changes,
  };
}

/** A job with the defaults and one destination. */
export function aJob(watchPath: string, changes: Partial<Job> = {}): Job {
  return {
    name: "spring",
    watchPath,
    filePatterns: ["*.fits"],
    excludePatterns: [],
    newerThan: null,
    recursive: true,
    ignoreHiddenFiles: true,
    watchEvents: ["create", "write", "remove", "rename"],
    watchMode: "auto",
    debounceMs: 1000,
    rescanIntervalMs: 300_000,
    completeness: "auto",
    marker: "{name}.done",
    minFileAgeMs: 2000,
    incompleteAfterMs: 600_000,
    deliverIncomplete: false,
    verifySource: "warn",
    growingFiles: null,
    deleteSource: false,
    dryRun: false,
    schedule: { kind: "continuous" },
    cooldownMs: 0,
    hooks: [],
    night: { timezone: "UTC", rollover: "12:00", siteLongitude: null },
    destinations: [aDestination()],
    ...changes,
  };
}
