revoke update (ended_at) on netra.webhook_delivery from netra_system;
