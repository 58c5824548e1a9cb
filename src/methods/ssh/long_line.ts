/**
 * What a long line asks for: OpenSSH lets 2 MiB of a channel be under way, so over a round trip of 200 ms a channel carries 10 MB/s,
 * however fast the line is. Several channels of one connection carry several times as much.
 *
 * @module
 */

/** Under way in a channel at once (CHAN_SES_WINDOW_DEFAULT of OpenSSH). */
const CHANNEL_BYTES = 2 * 1024 * 1024;
/** One more for each so many milliseconds of a round trip: 2 MiB in 25 ms are more than a fast disk takes. */
const CHANNEL_MS = 25;
/** For contents, of one connection: servers allow ten sessions (MaxSessions), and three may be shells of ours. */
export const MOST_CHANNELS = 6;

/** How many channels so many bytes are worth; 1 on a short line, and while the round trip is not known (Infinity). */
export function channelsWorth(roundTripMs: number, bytes: number): number {
  if (roundTripMs === Infinity) return 1;
  const useful = Math.min(MOST_CHANNELS, Math.ceil(roundTripMs / CHANNEL_MS), Math.ceil(bytes / CHANNEL_BYTES));
  return Math.max(1, useful);
}
