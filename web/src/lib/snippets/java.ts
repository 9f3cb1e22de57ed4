import { address, bearer, lines, pretty, readsKey, streams, type Ask } from './ask';

const longest = 8000; // units of a constant; a class file takes 65,535 bytes

// Only ASCII: which encoding a source has is told to the compiler, and it may not be.
const ascii = (text: string) =>
  text.replace(/[^\x20-\x7e\n]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

function block(ask: Ask) {
  const text = ascii(pretty(ask));
  if (text.length > longest) {
    const parts = text.match(new RegExp(`[^]{1,${longest}}`, 'g')) ?? [];
    return `String.join("",\n${parts.map((part) => `        ${JSON.stringify(part)}`).join(',\n')})`;
  }
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('"""', '\\"""');
  return `"""\n        ${escaped.replaceAll('\n', '\n        ')}"""`;
}

// The standard library reads no JSON: what is printed is the answer as it comes.
export function java(ask: Ask) {
  const kind = streams(ask) ? 'Stream<String>' : 'String';
  return lines(
    `import java.net.URI;`,
    `import java.net.http.HttpClient;`,
    `import java.net.http.HttpRequest;`,
    `import java.net.http.HttpResponse;`,
    streams(ask) && `import java.util.stream.Stream;`,
    ``,
    `public class Ask {`,
    `  public static void main(String[] args) throws Exception {`,
    `    String body = ${block(ask)};`,
    `    HttpRequest request = HttpRequest.newBuilder(URI.create("${address(ask)}"))`,
    `        .header("Content-Type", "application/json")`,
    readsKey(ask) && `        .header("Authorization", "Bearer " + System.getenv("STRATA_API_KEY"))`,
    bearer(ask) && `        .header("Authorization", "${bearer(ask)}")`,
    `        .POST(HttpRequest.BodyPublishers.ofString(body))`,
    `        .build();`,
    `    HttpResponse<${kind}> response = HttpClient.newHttpClient().send(`,
    `        request, HttpResponse.BodyHandlers.${streams(ask) ? 'ofLines' : 'ofString'}());`,
    streams(ask) && `    response.body().forEach(System.out::println);`,
    !streams(ask) && `    System.out.println(response.body());`,
    `    System.exit(response.statusCode() == 200 ? 0 : 1);`,
    `  }`,
    `}`,
  );
}
