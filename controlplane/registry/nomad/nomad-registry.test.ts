import { nomadRegistrySubject } from "../../../test/harness/nomad-subjects.ts";
import { testRegistry } from "../registry.contract.ts";

testRegistry("nomad, with a fake", nomadRegistrySubject);
