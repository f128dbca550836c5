/**
 * What `/docs` fills in for whoever tries a call out: requests that work on what the demonstration leaves. Only what a call needs
 * has an example. The page would send that of an optional parameter along, and so ask for something else than was meant.
 */

/** By the name of the parameter. Ids of bindings are made by the ledger, so that none can be named here. */
export const PATH_EXAMPLES: Readonly<Record<string, string>> = {
  type: 'shop',
  backend: 'shop-eu',
  model: 'shop.country',
  localModel: 'res.country',
  recordId: 'UKR',
  externalId: 'UA',
  name: 'stock-service',
};

const LEDGER = '/v1/backends/{backend}/models/{model}';
const SUBSCRIBER = '/v1/subscribers/{name}';
const COUNTRIES = { externalIds: ['UA', 'UK'] };

/** By method and path. An empty one is of a body that may be left out. */
export const BODY_EXAMPLES: Readonly<Record<string, object>> = {
  'put /v1/backend-types/{type}': { label: 'Shop' },
  'put /v1/models/{model}': { backendType: 'shop', localModel: 'res.country' },
  'post /v1/backends': { id: 'shop-us', type: 'shop', location: 'https://shop-us.example' },
  'patch /v1/backends/{backend}': { name: 'The shop in Europe' },
  'post /v1/backends/{backend}/lookup': { 'shop.country': COUNTRIES },
  [`post ${LEDGER}/bindings`]: { recordId: 'UKR', externalId: 'UA' },
  [`patch ${LEDGER}/bindings/{bindingId}`]: { data: { group: 'retail' } },
  [`post ${LEDGER}/bindings/{bindingId}/bind`]: { externalId: 'UA' },
  [`post ${LEDGER}/bindings/{bindingId}/sync`]: {},
  [`post ${LEDGER}/bindings/{bindingId}/move`]: { toRecordId: 'UKR' },
  [`post ${LEDGER}/external/{externalId}/sync`]: {},
  [`post ${LEDGER}/records/{recordId}/sync`]: {},
  [`post ${LEDGER}/move`]: { fromRecordId: 'ROM', toRecordId: 'ROU' },
  [`post ${LEDGER}/lookup`]: COUNTRIES,
  [`post ${LEDGER}/commands`]: { op: 'bind', recordId: 'UKR', externalId: 'UA' },
  [`post ${LEDGER}/verify`]: {},
  [`post ${LEDGER}/rebuild`]: {},
  [`post ${SUBSCRIBER}/replay`]: {},
  [`post ${SUBSCRIBER}/skip`]: { backend: 'shop-eu', model: 'shop.country', bindingId: '01a20fab-95d8', revision: 77 },
  [`post ${SUBSCRIBER}/reset`]: { to: 'start' },
};

interface SentByPage {
  headers?: Record<string, string>;
  body?: unknown;
}

/**
 * Commands go out a line each. The page shows an example over several lines, as it does all JSON, and a body that is one JSON value
 * is put on one line here. It runs in the browser, from its own text: so it is one function, and knows nothing around it.
 */
export function commandsOnOneLine(request: SentByPage): SentByPage {
  if (request.headers?.['Content-Type'] !== 'application/x-ndjson' || typeof request.body !== 'string') return request;
  try {
    request.body = `${JSON.stringify(JSON.parse(request.body))}\n`;
  } catch {
    // Several lines, as they should be: they are sent as they stand.
  }
  return request;
}
