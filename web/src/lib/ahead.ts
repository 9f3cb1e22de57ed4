// What the first page shows is asked for before the app is here: the smallest script does it, and the
// first call of the same path takes the answer.

export const ofApp = { 'x-strata-app': '1' }; // no page of another origin can say it
export const places = {
  session: '/api/v1/session',
  models: '/api/tags',
  conversations: (query: string, archived: boolean) =>
    `/api/v1/conversations?${new URLSearchParams({ query, archived: String(archived) })}`,
  conversation: (id: string) => `/api/v1/conversations/${encodeURIComponent(id)}`,
};
const ask = (path: string) => fetch(path, { headers: ofApp });

let answers = new Map<string, Promise<Response>>();

function askAhead(path: string) {
  const answer = ask(path);
  answer.catch(() => undefined); // who takes it tells of it
  answers.set(path, answer);
  return answer;
}

// Who is not signed in yet is answered nothing but that.
export async function askFirst(hash: string) {
  const [page, argument = ''] = hash.slice(2).split('/');
  if (page === 'shared' || page === 'link') return;
  const session = (await askAhead(places.session)).clone();
  if (!session.ok || !((await session.json()) as { signed_in: boolean }).signed_in) return;
  askAhead(places.conversations('', false));
  askAhead(places.models);
  if (page !== 'chat' || !argument || argument === 'temporary') return;
  askAhead(places.conversation(decodeURIComponent(argument)));
}

export function taken(path: string) {
  const answer = answers.get(path);
  answers.delete(path);
  return answer;
}
// What nobody took is out of date from now on.
export const forget = () => (answers = new Map());
