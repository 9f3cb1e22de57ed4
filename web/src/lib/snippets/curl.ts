import { address, lines, pretty, streams, type Ask } from './ask';

// A line of the JSON is never just the word that ends it.
export function curl(ask: Ask) {
  return lines(
    `curl ${streams(ask) ? '-N ' : ''}${address(ask)} \\`,
    `  -H 'Content-Type: application/json' \\`,
    ask.withKey && `  -H "Authorization: Bearer $STRATA_API_KEY" \\`,
    `  -d @- <<'JSON'`,
    pretty(ask),
    `JSON`,
  );
}
