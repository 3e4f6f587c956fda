import { useState, type ReactNode } from 'react';
import { Client, Provider } from 'urql';
import { never } from 'wonka';
import { toast } from '../live/toasts';
import { AttachmentRows } from '../parts/attachment-rows';
import type { Attachments } from '../api/attached';
import { Chart } from '../parts/chart';
import { CommentComposer, PostComposer } from '../parts/composer';
import { FollowButton } from '../parts/follow-button';
import { Field } from '../parts/form';
import { Icon, SHAPES, type IconName } from '../parts/icon';
import { Menu } from '../parts/menu';
import { NotificationGroup } from '../parts/notification-group';
import { NotificationRow } from '../parts/notification-row';
import { OrderCard } from '../parts/order-card';
import { Page } from '../parts/page';
import { PersonRow } from '../parts/person-row';
import { LikeButton, QuoteLink, RepostButton } from '../parts/post-actions';
import { PostCard } from '../parts/post-card';
import { ProductCard } from '../parts/product-card';
import { Ago, Avatar, BackHeader, Byline, Tiles } from '../parts/small';
import { Empty, Failed, ProblemLine, Skeletons } from '../parts/states';
import { Thread } from '../parts/thread';
import { more, w } from '../words';
import {
  BARS,
  COMMENTS,
  GROUPS,
  INES,
  KINDS,
  notificationOf,
  orderOf,
  PEOPLE,
  POSTS,
  PRODUCTS,
  STATUSES,
  TOMAS,
  UNREACHABLE,
} from './parts-samples';
import { Appearance, Languages } from './settings';
import '../style/gallery.css';

/** Nothing of what is shown here is plaza's: what is asked or done goes nowhere. */
const nowhere = new Client({
  url: location.origin,
  preferGetMethod: false,
  exchanges: [() => () => never],
});

/** A component by its name, in each of its states. */
function Part({ name, children }: { name: string; children: ReactNode }) {
  return (
    <section className="part">
      <h2>
        <code>{name}</code>
      </h2>
      {children}
    </section>
  );
}

/** One state, by what makes it. */
function State({ of, children }: { of: string; children: ReactNode }) {
  return (
    <div className="part-state">
      <code className="quiet">{of}</code>
      {children}
    </div>
  );
}

const entriesOf = <Value,>(record: Record<string, Value>) => Object.entries(record);
const RELATIONS = { viewerIsFollowing: false, viewerHasRequestedToFollow: false };
const nothing = () => undefined;

function Small() {
  return (
    <>
      <Part name="Icon">
        <ul className="part-row">
          {(Object.keys(SHAPES) as IconName[]).map((name) => (
            <li key={name}>
              <Icon name={name} /> <code className="quiet">{name}</code>
            </li>
          ))}
        </ul>
      </Part>
      <Part name="Avatar">
        <div className="part-row">
          {(['s', 'm', 'l'] as const).map((size) => (
            <Avatar key={size} handle={INES.handle} name={INES.displayName} size={size} />
          ))}
          {['a', 'b', 'c', 'd', 'e', 'f'].map((handle) => (
            <Avatar key={handle} handle={handle} name={handle} />
          ))}
        </div>
      </Part>
      <Part name="Byline">
        <Byline person={TOMAS} /> <Byline person={null} />
      </Part>
      <Part name="Ago">
        <Ago time={new Date().toISOString()} /> <Ago time={BARS[0]?.startsAt ?? ''} />
      </Part>
      <Part name="BackHeader">
        <BackHeader title={INES.displayName} to="/" />
      </Part>
      <Part name="Tiles">
        <div className="part-row part-tiles">
          {['a', 'b', 'c', 'd', 'e'].map((id) => (
            <Tiles key={id} id={id} />
          ))}
        </div>
      </Part>
      <Part name="Menu">
        <Menu
          label={w.more}
          items={[
            { label: w.copyLink, run: nothing },
            { label: w.delete, run: nothing, grave: true },
          ]}
        />
      </Part>
      <Part name="Toasts">
        <div className="buttons">
          <button type="button" className="button" onClick={() => toast('done', w.posted)}>
            {w.posted}
          </button>
          <button
            type="button"
            className="button button-quiet"
            onClick={() => toast('failed', w.notLoadedShort)}
          >
            {w.notLoadedShort}
          </button>
          <button type="button" className="button" disabled>
            {w.post}
          </button>
        </div>
      </Part>
    </>
  );
}

function Posts() {
  return (
    <>
      <Part name="PostCard">
        {entriesOf(POSTS).map(([of, post]) => (
          <State key={of} of={of}>
            <PostCard post={post} />
          </State>
        ))}
        <State of="whole">
          <PostCard post={POSTS.product} whole />
        </State>
      </Part>
      <Part name="LikeButton, RepostButton, QuoteLink">
        <div className="part-row">
          <LikeButton id="sample" liked={false} count={0} />
          <LikeButton id="sample" liked count={1_250_000} />
          <RepostButton id="sample" reposted={false} count={0} />
          <RepostButton id="sample" reposted count={7} />
          <QuoteLink id="sample" />
        </div>
      </Part>
      <Part name="Thread">
        {entriesOf(COMMENTS).map(([of, comment]) => (
          <State key={of} of={of}>
            <ul className="list">
              <Thread postId="sample" comment={comment} />
            </ul>
          </State>
        ))}
      </Part>
      <Part name="PostComposer">
        <PostComposer productId="sample" />
      </Part>
      <Part name="CommentComposer">
        <CommentComposer postId="sample" />
      </Part>
      <Part name="AttachmentRows">
        <Rows />
      </Part>
    </>
  );
}

function Rows() {
  const preview = '/icon-192.png';
  const [attachments] = useState<Attachments>(() => ({
    list: [
      { key: 1, preview, name: 'bowl.png', sent: 0.4, alt: '' },
      { key: 2, preview, name: 'cup.png', sent: 1, alt: '', id: 'sample' },
      { key: 3, preview: 'data:,', name: 'note.png', sent: 1, alt: '', problem: w.notLoadedShort },
    ],
    ready: false,
    add: nothing,
    remove: nothing,
    describe: nothing,
    clear: nothing,
  }));
  return <AttachmentRows attachments={attachments} noteId="sample-note" />;
}

function People() {
  const follows = { ...RELATIONS, ...INES };
  return (
    <>
      <Part name="PersonRow">
        <ul className="list">
          {PEOPLE.map((person, index) => (
            <PersonRow key={index} person={person}>
              <FollowButton user={follows} />
            </PersonRow>
          ))}
        </ul>
      </Part>
      <Part name="FollowButton">
        <div className="part-row">
          <FollowButton user={follows} />
          <FollowButton user={{ ...follows, viewerHasRequestedToFollow: true }} />
          <FollowButton user={{ ...follows, viewerIsFollowing: true }} />
        </div>
      </Part>
      <Part name="NotificationRow">
        <ul className="list">
          {KINDS.map((kind, index) => (
            <NotificationRow
              key={kind}
              notification={notificationOf(kind)}
              unread={index % 2 === 0}
            />
          ))}
        </ul>
      </Part>
      <Part name="NotificationGroup">
        <ul className="list">
          {GROUPS.map((group, index) => (
            <NotificationGroup key={index} group={group} />
          ))}
        </ul>
      </Part>
    </>
  );
}

function Goods() {
  return (
    <>
      <Part name="ProductCard">
        <ul className="grid">
          {entriesOf(PRODUCTS).map(([of, product]) => (
            <li key={of}>
              <ProductCard product={product} />
            </li>
          ))}
        </ul>
        {entriesOf(PRODUCTS).map(([of, product]) => (
          <State key={of} of={`small, ${of}`}>
            <ProductCard product={product} small />
          </State>
        ))}
      </Part>
      <Part name="OrderCard">
        {STATUSES.map((status) => (
          <OrderCard key={status} order={orderOf(status)} />
        ))}
      </Part>
      <Part name="Chart">
        <Chart title={more.views} bars={BARS} />
        <Chart title={more.views} bars={BARS.map((bar) => ({ ...bar, value: 0 }))} />
      </Part>
    </>
  );
}

function States() {
  const problem = { message: w.notLoadedShort, fields: { refused: w.notLoadedShort } };
  return (
    <>
      <Part name="Field">
        <div className="entrance">
          <Field name="plain" label={more.name} problem={null} />
          <Field name="hinted" label={more.handle} hint={more.handleHint} problem={null} />
          <Field name="refused" label={more.email} problem={problem} />
        </div>
      </Part>
      <Part name="ProblemLine">
        <ProblemLine problem={problem} />
      </Part>
      <Part name="Empty">
        <Empty title={more.noOrders}>{more.otherWords}</Empty>
      </Part>
      <Part name="Failed">
        <Failed error={UNREACHABLE} retry={nothing} />
      </Part>
      <Part name="Skeletons">
        <Skeletons count={2} />
      </Part>
      <Part name="Skeletons, tall">
        <Skeletons count={3} tall />
      </Part>
    </>
  );
}

/** Every part that pages are made of, with made-up content, for whoever changes how they look. */
export function PartsPage() {
  return (
    <Page title={more.parts}>
      <p className="part quiet">{more.partsWhy}</p>
      <Appearance />
      <Languages />
      <Provider value={nowhere}>
        <Small />
        <States />
        <Posts />
        <People />
        <Goods />
      </Provider>
    </Page>
  );
}
