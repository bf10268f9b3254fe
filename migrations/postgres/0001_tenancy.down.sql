-- breaking: removes the schema and all that is in it
drop schema netra cascade;
alter default privileges grant execute on functions to public;
-- The roles stay while another database of the cluster uses them.
do $$
declare
  role_name text;
begin
  foreach role_name in array array['netra_app', 'netra_log', 'netra_system'] loop
    begin
      execute format('drop owned by %I', role_name);
      execute format('drop role %I', role_name);
    exception when dependent_objects_still_exist or undefined_object or object_in_use then null;
    end;
  end loop;
end
$$;
