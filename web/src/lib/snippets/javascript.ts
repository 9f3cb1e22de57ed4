import { address, bearer, hasChoices, hasTools, lines, literal, readsKey, streams, type Ask } from './ask';

// As a plain key this one would set the object's prototype.
const key = (quoted: string) => (quoted === '"__proto__"' ? `[${quoted}]` : quoted);
const words = { yes: 'true', no: 'false', nothing: 'null', key };

const whole = (ask: Ask) => [
  `const answer = await response.json();`,
  `for (const { message } of answer.choices) {`,
  `  console.log(message.content ?? "");`,
  hasTools(ask) && `  for (const { function: call } of message.tool_calls ?? []) {`,
  hasTools(ask) && `    console.log(call.name, call.arguments);`,
  hasTools(ask) && `  }`,
  `}`,
];

const streamed = (ask: Ask) => [
  `let held = "";`,
  `for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {`,
  `  const lines = (held + piece).split("\\n");`,
  `  held = lines.pop();`,
  `  for (const line of lines) {`,
  `    if (!line.startsWith("data: ") || line === "data: [DONE]") continue;`,
  `    const chunk = JSON.parse(line.slice(6));`,
  `    if (chunk.error) throw new Error(chunk.error.message);`,
  `    for (const { ${hasChoices(ask) ? 'index, ' : ''}delta } of chunk.choices) {`,
  hasChoices(ask) && `      console.log(index, JSON.stringify(delta));`,
  !hasChoices(ask) && `      process.stdout.write(delta.content ?? "");`,
  !hasChoices(ask) && hasTools(ask) && `      for (const { function: call } of delta.tool_calls ?? []) {`,
  !hasChoices(ask) && hasTools(ask) && `        if (call.name) process.stdout.write(\`\\n\${call.name} \`);`,
  !hasChoices(ask) && hasTools(ask) && `        process.stdout.write(call.arguments);`,
  !hasChoices(ask) && hasTools(ask) && `      }`,
  `    }`,
  `  }`,
  `}`,
  !hasChoices(ask) && `console.log();`,
];

export function javascript(ask: Ask) {
  return lines(
    `const response = await fetch("${address(ask)}", {`,
    `  method: "POST",`,
    `  headers: {`,
    `    "Content-Type": "application/json",`,
    readsKey(ask) && '    Authorization: `Bearer ${process.env.STRATA_API_KEY}`,',
    bearer(ask) && `    Authorization: "${bearer(ask)}",`,
    `  },`,
    `  body: JSON.stringify(${literal(ask.body, words, '  ', '  ')}),`,
    `});`,
    `if (!response.ok) throw new Error(await response.text());`,
    ...(streams(ask) ? streamed(ask) : whole(ask)),
  );
}
