import { it } from 'vitest';
import { writeFileSync } from 'node:fs';
import { TestServer } from '../../support/http-server.js';
it('tries', async () => {
  const s = await TestServer.start();
  const a = await s.get('/openapi.json');
  writeFileSync('/tmp/srv/openapi.json', JSON.stringify(a.body, null, 1));
  const d = await s.get('/docs');
  writeFileSync('/tmp/srv/docs.html', d.text); console.log(d.status, d.headers);
  await s.close();
});
