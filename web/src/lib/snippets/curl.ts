import { address, bearer, lines, pretty, readsKey, streams, type Ask } from './ask';

// A line of the JSON is never just the word that ends it.
export function curl(ask: Ask) {
  return lines(
    `curl ${streams(ask) ? '-N ' : ''}${address(ask)} \\`,
    `  -H 'Content-Type: application/json' \\`,
    readsKey(ask) && `  -H "Authorization: Bearer $STRATA_API_KEY" \\`,
    bearer(ask) && `  -H 'Authorization: ${bearer(ask)}' \\`,
    `  -d @- <<'JSON'`,
    pretty(ask),
    `JSON`,
  );
}
