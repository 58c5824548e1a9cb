/** Where Prometheus finds the metrics of all computers: a list for `file_sd_configs` and `http_sd_configs`. */
import type { FleetMember } from "../../domain/fleet.ts";

/** As Prometheus reads it. */
interface ScrapeTarget {
  /** `host:port`. */
  readonly targets: readonly [string];
  /** `instance` is the name of the computer. */
  readonly labels: { readonly instance: string; readonly __scheme__: "http" | "https" };
}

/** Offline computers included: an alert is to tell that they do not answer. Sorted by name, so that nothing changes without a reason. */
export function scrapeTargets(members: readonly FleetMember[]): readonly ScrapeTarget[] {
  return members.flatMap((member): ScrapeTarget[] => {
    const url = pageElsewhere(member);
    if (url === null) return [];
    const [scheme, usual] = url.protocol === "https:" ? ["https", "443"] as const : ["http", "80"] as const;
    return [{ targets: [`${url.hostname}:${url.port || usual}`], labels: { instance: member.name, __scheme__: scheme } }];
  }).sort((one, other) => one.labels.instance < other.labels.instance ? -1 : 1);
}

/** The address of a computer's page; null where it has none that other computers can open. */
export function pageElsewhere({ report }: Pick<FleetMember, "report">): URL | null {
  const url = URL.parse(report?.page ?? "");
  if (url === null || !["http:", "https:"].includes(url.protocol)) return null;
  return url.hostname === "localhost" || /^(127\.|\[::1\]$|0\.0\.0\.0$|\[::\]$)/.test(url.hostname) ? null : url;
}
