/**
 * What the page asks of a daemon, answered by a ledger and nothing else.
 *
 * @module
 */
import { trackProgress } from "../../src/events/progress.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import { statusReport } from "../../src/reports/overview/status_report.ts";
import type { PageSource } from "../../src/reports/page_source.ts";
import { STATUS } from "../web/fake_daemon.ts";

/** No job, no destination, nothing running; a part of its answers may be replaced. */
export function fakeSource(ledger: Ledger, instead: Partial<PageSource> = {}): PageSource {
  return {
    status: () => statusReport({ ...STATUS, counts: ledger.counts() }),
    live: () => ({ running: [], oldestWaiting: null, givenUp: [], orphans: [] }),
    sync: () => [],
    retry: () => 0,
    pause: () => [],
    resume: () => ({ names: [], undecided: [] }),
    jobs: () => [],
    destinations: () => [],
    progress: trackProgress(),
    ledger,
    listen: () => () => {},
    ...instead,
  };
}
