import { useSubscription, type TypedDocumentNode } from 'urql';
import { useAction } from '../api/use-action';
import { graphql, readFragment, type FragmentOf, type ResultOf } from '../../shared/graphql';
import { Link, paths } from '../router';
import { money } from './format';
import { Ago, Tiles } from './small';
import { ProblemLine } from './states';
import { more } from '../words';
import '../style/orders.css';

export const OrderCardFragment = graphql(`
  fragment OrderCard on Order {
    id status reason createdAt nextStatuses isSettled refundableUntil
    history { status at }
    total { amount currency }
    lines { quantity title unitPrice { amount currency } product { id } }
  }
`);

/** What changes on an order's way. */
const OrderNowFragment = graphql(`
  fragment OrderNow on Order { id status reason nextStatuses isSettled refundableUntil history { status at } }
`);

const OrderUpdated = graphql(
  `
  subscription OrderUpdated($orderId: ID!, $after: String) {
    orderUpdated(orderId: $orderId, after: $after) { cursor node { ...OrderNow } }
  }
`,
  [OrderNowFragment],
);

const Cancel = graphql(
  `
  mutation CancelOrder($orderId: ID!) {
    orderCancel(input: { orderId: $orderId }) { order { ...OrderNow } userErrors { code message path } }
  }
`,
  [OrderNowFragment],
);

const Refund = graphql(
  `
  mutation RefundOrder($orderId: ID!) {
    orderRefund(input: { orderId: $orderId }) { order { ...OrderNow } userErrors { code message path } }
  }
`,
  [OrderNowFragment],
);

type Shown = ResultOf<typeof OrderCardFragment>;

const WAY = ['PENDING', 'RESERVED', 'PAID', 'CONFIRMED'] as const;

/** An order as it is now: while it is on its way it is watched, and the cache shows what is told wherever the order is. */
export function OrderCard({ order: masked }: { order: FragmentOf<typeof OrderCardFragment> }) {
  const order = readFragment(OrderCardFragment, masked);
  useSubscription({
    query: OrderUpdated,
    variables: { orderId: order.id },
    pause: order.isSettled,
  });
  return (
    <article className="order" aria-label={more.oneOrder}>
      <header className="order-head">
        <span
          className={`status status-${order.status.toLowerCase()}`}
          role="status"
          data-status={order.status}
        >
          {more.orderStates[order.status]}
        </span>
        <span className="quiet">
          <Ago time={order.createdAt} />
        </span>
        <strong className="order-total">{money(order.total)}</strong>
      </header>
      <Way status={order.status} />
      {order.reason && <p className="problem">{more.orderReasons[order.reason] ?? order.reason}</p>}
      <ul className="order-lines">
        {order.lines.map((line, index) => (
          <li key={line.product?.id ?? index}>
            {line.product && <Tiles id={line.product.id} />}
            {line.product ? (
              <Link to={paths.product(line.product.id)}>{line.title}</Link>
            ) : (
              <span className="order-gone">
                {line.title} <span className="quiet">{more.notOffered}</span>
              </span>
            )}
            <span className="quiet">
              {line.quantity} × {money(line.unitPrice)}
            </span>
          </li>
        ))}
      </ul>
      <History changes={order.history} />
      {order.nextStatuses.includes('CANCELLED') && (
        <ChangeButton id={order.id} mutation={Cancel} label={more.cancelOrder} />
      )}
      {order.nextStatuses.includes('REFUNDING') && (
        <ChangeButton id={order.id} mutation={Refund} label={more.refund} />
      )}
    </article>
  );
}

/** How far it has come, drawn; the word above says it too. */
function Way({ status }: { status: Shown['status'] }) {
  const reached = WAY.findIndex((step) => step === status);
  if (reached < 0) return null;
  return (
    <ol className="way" aria-hidden="true">
      {WAY.map((step, index) => (
        <li key={step} className={index <= reached ? 'way-done' : ''} />
      ))}
    </ol>
  );
}

/** Every state it came to, and when; closed until somebody asks. */
function History({ changes }: { changes: Shown['history'] }) {
  if (!changes) return null;
  return (
    <details className="order-history">
      <summary className="quiet">{more.history}</summary>
      <ol>
        {changes.map((change) => (
          <li key={change.status}>
            {more.orderStates[change.status]}{' '}
            <span className="quiet">
              <Ago time={change.at} />
            </span>
          </li>
        ))}
      </ol>
    </details>
  );
}

function ChangeButton<Data>({
  id,
  mutation,
  label,
}: {
  id: string;
  mutation: TypedDocumentNode<Data, { orderId: string }>;
  label: string;
}) {
  const { run, busy, problem } = useAction(mutation, { durable: true });
  return (
    <div className="buttons">
      <button
        type="button"
        className="button button-quiet"
        disabled={busy}
        onClick={() => void run({ orderId: id })}
      >
        {label}
      </button>
      <ProblemLine problem={problem} />
    </div>
  );
}
