# Streams, deadlines, errors, metadata and threads of Ruby's gRPC; stubs generated from proto/.
#
# Usage: ruby streams.rb STUBS ADDRESS STORAGE RELATIVE_PATH CORRELATION_ID
# Expects a repository with a commit on `main` that has a blob `big`, and no other references. Creates
# `refs/heads/0` to `refs/heads/2`, deletes `refs/heads/0` by a push. Prints one JSON object.

require "base64"
require "json"
require "openssl"

stubs, address, storage, relative_path, correlation = ARGV
$LOAD_PATH.unshift(stubs)

require "gitaly_py/pb/blob_services_pb"
require "gitaly_py/pb/commit_services_pb"
require "gitaly_py/pb/ref_services_pb"
require "gitaly_py/pb/smarthttp_services_pb"
require "grpc/health/v1/health_services_pb"

ZERO = "0" * 40
THREADS = 8
CALLS = 25

repository = Gitaly::Repository.new(
  storage_name: storage, relative_path: relative_path, gl_repository: "project-1", gl_project_path: "group/project"
)
channel = GRPC::Core::Channel.new(address, {}, :this_channel_is_insecure)
stub = ->(service) { service::Stub.new(nil, nil, channel_override: channel) }
commits, references = stub.(Gitaly::CommitService), stub.(Gitaly::RefService)
blobs, transfer = stub.(Gitaly::BlobService), stub.(Gitaly::SmartHTTPService)
health = stub.(Grpc::Health::V1::Health)
main = Gitaly::FindCommitRequest.new(repository: repository, revision: "main")

# A unary call, its metadata both ways.
operation = commits.find_commit(
  main,
  metadata: { "x-gitlab-correlation-id" => correlation, "username" => "rosa", "user_id" => %w[one two] },
  return_op: true
)
oid = operation.execute.commit.id
cost = operation.trailing_metadata["x-gitaly-cost"]

# A stream of requests.
change = lambda do |name, target, expected = ZERO|
  Gitaly::UpdateReferencesRequest::Update.new(
    reference: "refs/heads/#{name}", old_object_id: expected, new_object_id: target
  )
end
requests = [Gitaly::UpdateReferencesRequest.new(repository: repository, updates: [change.(0, oid)])]
requests += [1, 2].map { |name| Gitaly::UpdateReferencesRequest.new(updates: [change.(name, oid)]) }
references.update_references(requests)

# An error with details.
mismatch =
  begin
    wrong = [change.(1, ZERO, "1" * 40)]
    references.update_references([Gitaly::UpdateReferencesRequest.new(repository: repository, updates: wrong)])
  rescue GRPC::Aborted => error
    { message: error.details, details: Base64.strict_encode64(error.metadata["grpc-status-details-bin"]) }
  end

# Streams both ways: a push, and a fetch.
packet = ->(text) { format("%04x%s", text.bytesize + 4, text) }
deletion = packet.("#{oid} #{ZERO} refs/heads/0\0report-status delete-refs\n") + "0000"
pushes = [
  Gitaly::PostReceivePackRequest.new(repository: repository, gl_id: "user-7", gl_repository: "project-1"),
  *deletion.b.chars.map { |octet| Gitaly::PostReceivePackRequest.new(data: octet) }
]
context = (0..255).map(&:chr).join.b
report = transfer.post_receive_pack(
  pushes, metadata: { "gitaly-client-context-bin" => context }
).map(&:data).join
wanted = packet.("want #{oid}\n") + "0000" + packet.("done\n")
fetches = [
  Gitaly::PostUploadPackRequest.new(repository: repository), Gitaly::PostUploadPackRequest.new(data: wanted)
]
pack = transfer.post_upload_pack(fetches).map(&:data).join

# A deadline, and a cancellation, in the middle of a stream.
watched = []
deadline =
  begin
    health.watch(Grpc::Health::V1::HealthCheckRequest.new, deadline: Time.now + 0.3).each do |response|
      watched << response.status
    end
  rescue GRPC::DeadlineExceeded => error
    error.code
  end
cancelled =
  begin
    operation = health.watch(Grpc::Health::V1::HealthCheckRequest.new, return_op: true)
    operation.execute.each { operation.cancel }
  rescue GRPC::Cancelled => error
    error.code
  end

# Threads that share a connection.
entry = Gitaly::TreeEntryRequest.new(repository: repository, revision: "main", path: "big")
big = commits.tree_entry(entry).first.oid
answers = Array.new(THREADS) do
  Thread.new do
    Array.new(CALLS) do
      request = Gitaly::GetBlobRequest.new(repository: repository, oid: big, limit: -1)
      data = blobs.get_blob(request).map(&:data).join
      [commits.find_commit(main).commit.id, OpenSSL::Digest::SHA256.hexdigest(data)]
    end
  end
end.flat_map(&:value)

puts JSON.generate(
  cost: cost,
  mismatch: mismatch,
  report: report,
  pack: pack.bytesize,
  watched: watched,
  deadline: deadline,
  cancelled: cancelled,
  answers: answers.tally.map(&:flatten)
)
