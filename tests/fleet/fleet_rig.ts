/** What tests of the fleet have in common. */
import type { PocketbaseSettings } from "../../src/config/settings.ts";

/** Settings of an account, with short times. */
export function pocketbaseSettings(url: string, adminEmail: string, adminPassword: string): PocketbaseSettings {
  return {
    url,
    adminEmail,
    adminPassword,
    adminPasswordFile: null,
    tlsCa: null,
    instance: null,
    timeoutMs: 5000,
    retryAttempts: 0,
    retryDelayMs: 100,
    refreshMs: 1000,
    uploadLogs: true,
    cacheDir: null,
    allowHttp: null,
    maySet: ["jobs", "schedules"],
    mayWatch: ["/"],
    maySendTo: ["/"],
    mayDo: [],
    mayDoFrom: [],
  };
}
