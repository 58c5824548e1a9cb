/** What the page asks of a daemon, answered by a ledger and nothing else. */
import { withoutFile } from "../../src/config/read/load.ts";
import { trackProgress } from "../../src/events/progress.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import type { PageSource } from "../../src/reports/page_source.ts";

/** No job, no destination, nothing running; a part of its answers may be replaced. */
export function fakeSource(ledger: Ledger, instead: Partial<PageSource> = {}): PageSource {
  return {
    about: () => ({ pid: 1, version: "0.1.0", startedAt: 0, url: null, configuration: null }),
    trouble: () => null,
    sync: () => [],
    retry: () => 0,
    pause: () => [],
    resume: () => ({ destinations: [], retrying: [], undecided: [] }),
    acceptRemoved: () => Promise.resolve([]),
    jobs: () => [],
    destinations: () => [],
    jobsRejected: () => null,
    fleet: () => Promise.resolve(null),
    hooks: () => [],
    orphans: () => [],
    progress: trackProgress(),
    ledger,
    listen: () => () => {},
    setup: () => ({
      settings: withoutFile({ platform: "linux", home: "/", env: () => undefined }),
      reload: null,
      hookCall: () => null,
    }),
    others: { send: () => Promise.reject(new Error("no fleet")), commands: () => Promise.resolve([]) },
    check: null,
    ...instead,
  };
}
