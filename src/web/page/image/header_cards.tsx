/**
 * The header of an image, card by card.
 *
 * @module
 */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { printable } from "../../../domain/names/printable.ts";
import type { HeaderReport } from "../../../reports/api_types.ts";
import { count, plural } from "../parts/format.ts";
import { useAsk } from "../store/ask.ts";

/** `id` is that of a delivery. Where the file cannot be read any more, the cards that the ledger kept. */
export function HeaderCards({ id }: { readonly id: number }): JSX.Element {
  const [wanted, want] = useState("");
  const { answer, error } = useAsk<HeaderReport>(`/api/cards/${id}`);
  if (error !== null) return <p class="nothing">{`${error.message}. ${error.hint}`}</p>;
  if (answer === null) return <p class="nothing" role="status">Loading the header…</p>;
  const { hdus, problem, kept } = answer.value;
  const all = hdus.length > 0 || Object.keys(kept).length === 0 ? hdus : [keptHdu(kept)];
  return (
    <section class="header-cards" aria-label="Header">
      <header class="panel-head">
        <h3>Header</h3>
        <input
          type="search"
          aria-label="Search the header"
          placeholder="Search the header"
          onInput={(event) => want(event.currentTarget.value.toLowerCase())}
        />
      </header>
      {problem !== "" && <p class="problem">{problem}</p>}
      {all.map((hdu) => <Hdu key={hdu.name} hdu={hdu} wanted={wanted} />)}
    </section>
  );
}

type HduCards = HeaderReport["hdus"][number];

function Hdu({ hdu, wanted }: { readonly hdu: HduCards; readonly wanted: string }): JSX.Element {
  const shown = hdu.cards.filter(({ keyword, value, comment }) =>
    `${keyword} ${value} ${comment}`.toLowerCase().includes(wanted)
  );
  return (
    <details open={hdu.name === "primary" || wanted !== ""}>
      <summary>
        {hdu.name} <span class="dim">{hdu.data}, {count(hdu.cards.length)} {plural(hdu.cards.length, "card")}</span>
      </summary>
      <div class="table-box" tabIndex={0} role="region" aria-label={`Header of ${hdu.name}`}>
        <table class="cards-table">
          <thead class="unseen">
            <tr>
              <th scope="col">Keyword</th>
              <th scope="col">Value</th>
              <th scope="col">Comment</th>
            </tr>
          </thead>
          <tbody>
            {shown.map(({ keyword, value, comment }, at) => (
              <tr key={at}>
                <th scope="row">{printable(keyword)}</th>
                <td>{printable(value)}</td>
                <td class="dim">{printable(comment)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

/** What the ledger kept, where the file cannot be read any more. */
function keptHdu(kept: HeaderReport["kept"]): HduCards {
  const cards = Object.entries(kept).map(([keyword, value]) => ({ keyword, value: String(value), comment: "" }));
  return { name: "primary", data: "as recorded when the image was delivered", cards };
}
