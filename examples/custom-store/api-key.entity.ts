import type { ApiKeyRecord } from 'nestjs-keyfence';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

type Json = Readonly<Record<string, unknown>>;

/** A row for each key. It has what a record has; what is not set is NULL. */
@Entity('api_key')
// For list(): a tenant's keys in their order.
@Index(['tenantId', 'createdAt', 'id'])
export class ApiKeyEntity {
  @PrimaryColumn('text')
  id!: string;

  @Index({ unique: true })
  @Column('text')
  locator!: string;

  @Column('text', { name: 'tenant_id' })
  tenantId!: string;

  @Column('text')
  name!: string;

  @Column('text')
  digest!: string;

  @Column('text', { name: 'digest_version' })
  digestVersion!: string;

  @Column('jsonb')
  scopes!: readonly string[];

  // NULL lets the key reach everything, an empty list nothing: the two must not be mixed up.
  @Column('jsonb', { nullable: true })
  paths!: readonly string[] | null;

  @Column('text')
  environment!: string;

  @Column('jsonb', { name: 'allowed_ips', nullable: true })
  allowedIps!: readonly string[] | null;

  @Column('timestamptz', { name: 'created_at' })
  createdAt!: Date;

  @Column('timestamptz', { name: 'not_before', nullable: true })
  notBefore!: Date | null;

  @Column('timestamptz', { name: 'expires_at', nullable: true })
  expiresAt!: Date | null;

  @Column('timestamptz', { name: 'revoked_at', nullable: true })
  revokedAt!: Date | null;

  @Column('text', { name: 'rotated_to', nullable: true })
  rotatedTo!: string | null;

  @Column('timestamptz', { name: 'grace_ends_at', nullable: true })
  graceEndsAt!: Date | null;

  @Column('text', { name: 'lineage_id' })
  lineageId!: string;

  @Column('timestamptz', { name: 'last_used_at', nullable: true })
  lastUsedAt!: Date | null;

  @Column('jsonb', { nullable: true })
  metadata!: Json | null;

  @Column('integer')
  version!: number;
}

/** TypeORM passes over `undefined`, so that what is not set has to be said: NULL. */
export function toRow(record: ApiKeyRecord): ApiKeyEntity {
  return {
    ...record,
    paths: record.paths ?? null,
    allowedIps: record.allowedIps ?? null,
    notBefore: record.notBefore ?? null,
    expiresAt: record.expiresAt ?? null,
    revokedAt: record.revokedAt ?? null,
    rotatedTo: record.rotatedTo ?? null,
    graceEndsAt: record.graceEndsAt ?? null,
    lastUsedAt: record.lastUsedAt ?? null,
    metadata: record.metadata ?? null,
  };
}

/** The table is written by the store alone, so its tenant ids, scopes and paths are sound. */
export function toRecord(row: ApiKeyEntity): ApiKeyRecord {
  const set = Object.entries(row).filter(([, value]) => value !== null);
  return Object.fromEntries(set) as unknown as ApiKeyRecord;
}
