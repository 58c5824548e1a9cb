/**
 * Shown in place of everything when the daemon does not know this browser any more.
 *
 * @module
 */
import type { JSX } from "preact";

/** Takes the place of the whole page while `link` says `no_session`. */
export function SessionOver(): JSX.Element {
  return (
    <main class="session-over">
      <img src="/assets/icon.svg" alt="" width="56" height="56" />
      <h1>Your session has ended</h1>
      <p>On the computer where the daemon runs, this command opens the page again:</p>
      <pre>image-transfer open</pre>
      <p>
        Or <a href="/">log in with the token</a>. Delivery continues in the meantime, and this page resumes as soon as you log in.
      </p>
    </main>
  );
}
