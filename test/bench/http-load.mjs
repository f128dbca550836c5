/** The other end of the lookup bench: asks for one id after the other, over a few connections. */
import autocannon from 'autocannon';

const [url, count, duration] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const { origin, pathname } = new URL(url);
let next = 0;
const result = await autocannon({
  url: origin,
  connections: 16,
  duration,
  requests: [
    {
      method: 'GET',
      setupRequest: (request) => {
        next = (next + 7_919) % count;
        return { ...request, path: `${pathname}${next}` };
      },
    },
  ],
});
process.send({ answers: result['2xx'], rate: result['2xx'] / result.duration, others: result.non2xx + result.errors });
process.disconnect();
