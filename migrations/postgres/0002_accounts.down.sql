-- breaking: removes all users, sessions, memberships, signing keys and API keys
drop schema auth cascade;
-- The role stays while another database of the cluster uses it.
do $$
begin
  drop owned by netra_auth;
  drop role netra_auth;
exception when dependent_objects_still_exist or undefined_object or object_in_use then null;
end
$$;
